"""Entries of the event bus, as whoever can write to the stream could leave them there."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mintkey.bus.envelope import Envelopes, MisfitError
from mintkey.events import Event
from mintkey.keys.sealing import Plaintext, Sealer
from tests.security.fuzz.mutating import flipped, json_mutator
from tests.security.fuzz.reference import envelopes
from tests.security.fuzz.reference.verdict import Refused
from tests.security.fuzz.target import SEPARATOR, Finding, Target, check, verdict_of

__all__ = ["ENVELOPE"]

_STREAM = b"mk:{events}"
_KEY = bytes(range(32))
_TAG_KEY = envelopes.derived(_KEY, b"mintkey ring document v1")


@dataclass(frozen=True, kw_only=True)
class _Sold(Event):
    """An event of an application."""

    count: int
    price: float | None = None
    to: list[str] = field(default_factory=list)


def _is(*kinds: type) -> Any:
    return lambda value: type(value) in kinds


# Name of the member: whether it must be there, and what it may be.
_KINDS: dict[str, dict[str, Any]] = {
    "_Sold": {
        "purpose": (True, _is(str)),
        "count": (True, _is(int)),
        "price": (False, _is(int, float, type(None))),
        "to": (False, lambda value: type(value) is list and all(type(one) is str for one in value)),
    },
    "Verified": {"purpose": (True, _is(str)), "key_id": (True, _is(str))},
}

_SEALED = Envelopes(Sealer([_KEY]), _STREAM, [_Sold])
_PLAIN = Envelopes(Plaintext(), _STREAM, [_Sold])


def _seeds() -> Iterable[bytes]:
    for name, event in (
        ("_Sold", {"purpose": "shop", "count": 2, "price": 1, "to": ["a"]}),
        ("Verified", {"purpose": "login", "key_id": "a"}),
        ("Minted", {"purpose": "login", "key_id": "a", "count": 3}),
        ("Nobody", {}),
    ):
        yield b"+" + json.dumps({"id": "1", "type": name, "at": 1_767_225_600.5, "event": event}).encode()
    message, tag = _SEALED.close(_Sold(purpose="shop", count=1), "1", 1.0)
    yield b"=" + message + SEPARATOR + tag


def _run(data: bytes) -> None:
    message, tag = _parts(data)
    found = _opened(_SEALED, message, tag)
    expected = verdict_of(lambda: envelopes.judge(_TAG_KEY, _STREAM, message, tag, _KINDS))
    if expected == ("refused", "unknown_type") and found[0] == "accepted":
        return  # an event of the library's own that is not described above
    if expected != found and not (expected == ("refused", "unknown_type") and found == ("refused", "unreadable")):
        raise Finding(f"expected {expected!r}, found {found!r}")
    if found != ("refused", "forged"):
        check(found, _opened(_PLAIN, message, tag), "without a seal")


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """What begins with + is given the right tag."""
    message, _, tag = data[1:].partition(SEPARATOR)
    return message, envelopes.tag_of(_TAG_KEY, _STREAM, message) if data[:1] == b"+" else tag


def _opened(envelopes: Envelopes, message: bytes, tag: bytes) -> tuple[Any, ...]:
    """In the words of the reference; the event itself is compared with what stands in the message."""
    try:
        delivered = envelopes.open({b"m": message, b"s": tag})
    except MisfitError as error:
        return "refused", str(error.why)

    def members() -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(message)
        event = delivered.event
        if (delivered.id, type(event).__name__, event.purpose) != (
            whole["id"],
            whole["type"],
            whole["event"]["purpose"],
        ):
            raise Refused("another event")
        if abs(delivered.published_at.timestamp() - whole["at"]) > 1e-3:
            raise Refused("another time")
        return whole

    return verdict_of(members)


_NAMES = "id type at event purpose count price to key_id reason ring is_own previous_key_id".split()
_VALUES = (
    "_Sold",
    "Verified",
    "Minted",
    "Rejected",
    "Event",
    1e15,
    -62_135_596_800,
    253_402_300_800,
    2.5,
    ["a"],
    "a",
    7,
)
_mutate_json = json_mutator(_NAMES, _VALUES)


def _mutate(data: bytes, random: Random) -> bytes:
    message, cut, tag = data.partition(SEPARATOR)
    if random.random() < 0.1:
        return message + cut + flipped(tag, random)
    return data[:1] + _mutate_json(message[1:], random) + cut + tag


ENVELOPE = Target(run=_run, seeds=_seeds, mutate=_mutate)
