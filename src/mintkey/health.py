"""How a service is doing, in words and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Check", "Health", "SelfChecking"]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a service.

    Attributes:
        ok: Whether it can do its work.
        word: What state it is in, in one lower-case word: `active`, `ready`, `overdue`, …, or the reason why it cannot
            work.
        figure: The number that goes with it; what it counts is said where the check is made.

    Example:
        >>> Check(ok=True, word="active", figure=2).word
        'active'
    """

    ok: bool
    word: str
    figure: float


@dataclass(frozen=True, slots=True)
class Health:
    """All parts of a service.

    Attributes:
        checks: By part: `keys` and `replay`, and more about each behind a dot, as in `keys.rotation`.

    Example:
        >>> Health({"keys": Check(ok=True, word="active", figure=2), "replay": Check(ok=False, word="x", figure=0)}).ok
        False
    """

    checks: Mapping[str, Check]

    @property
    def ok(self) -> bool:
        """Whether every part can do its work."""
        return all(check.ok for check in self.checks.values())


@runtime_checkable
class SelfChecking(Protocol):
    """A capability of its own: a provider or a store that can tell more about itself than whether a call succeeds."""

    async def checks(self) -> Mapping[str, Check]:
        """What there is to say right now, by a name of one word each. Never raises an error."""
        ...
