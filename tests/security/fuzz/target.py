"""What a fuzz target is, and how its verdict is compared with that of the reference."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from random import Random
from typing import Any

from tests.security.fuzz.reference.verdict import Refused, Unsure

__all__ = ["SEPARATOR", "UNSURE", "Finding", "Target", "check", "exact", "outcome_of", "verdict_of"]

SEPARATOR = b"\x1f"
"""Between the parts of an input: it can stand in no JSON, no PEM and no URL."""

UNSURE = ("unsure",)


class Finding(AssertionError):  # noqa: N818 - it is what a fuzzer calls it
    """Something that must not happen."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        run: One execution; whatever it raises is a finding.
        seeds: Inputs to begin with, most of them such as are accepted.
        mutate: An input that is like another one, and still has its structure.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Callable[[bytes, Random], bytes]


def verdict_of(judge: Callable[[], Any]) -> tuple[Any, ...]:
    """What the reference says: `accepted` with the value, `refused` with the reason, or that it cannot tell."""
    try:
        return "accepted", exact(judge())
    except Refused as refused:
        return "refused", refused.reason
    except Unsure:
        return UNSURE


def outcome_of(call: Callable[[], Any], refusals: type[Exception]) -> tuple[Any, ...]:
    """What the library does; an exception that it does not promise gets through."""
    try:
        return "accepted", exact(call())
    except refusals as error:
        return "refused", str(getattr(error, "reason", ""))


def check(expected: object, found: object, about: str) -> None:
    """Complain unless they are the same."""
    if expected != found:
        raise Finding(f"{about}: expected {expected!r}, found {found!r}")


def exact(value: Any) -> Any:
    """A value in which 1, 1.0 and true differ, and zero from minus zero."""
    if is_dataclass(value) and not isinstance(value, type):
        return exact({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return "object", {name: exact(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return "array", [exact(item) for item in value]
    return type(value).__name__, repr(value)
