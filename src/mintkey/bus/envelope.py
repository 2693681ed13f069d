"""Events as bytes and back: typed, dated, with an id, and a tag that only who has the key can make.

The tag is an HMAC under a key of the bus, and no token of ours. A token ends, and so does the key that signed it: an
event that waited longer than `previous_ttl` for its consumer would be refused, hence lost, and the news that a key was
revoked could not be signed by that key. Nor does who only listens need a key that mints. It binds the event to its
stream, so that it cannot be moved to another one.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mintkey import events
from mintkey.bus.delivered import Delivered
from mintkey.bus.notices import Trouble
from mintkey.claims.strict_json import StrictJSONError, dumps, loads
from mintkey.claims.structural import Reader, Unreadable, plain, reader_for
from mintkey.clock import from_timestamp
from mintkey.errors import ConfigurationError
from mintkey.events import Event
from mintkey.keys.sealing import Plaintext, Sealer, joined

__all__ = ["Envelopes", "MisfitError"]

_DOMAIN = b"mintkey event v1\0"
_MESSAGE, _TAG = b"m", b"s"
_MOST_BYTES = 65_536


class MisfitError(Exception):
    """An entry is no event of ours; internal.

    Args:
        why: In which way.
    """

    def __init__(self, why: Trouble, /) -> None:
        super().__init__(str(why))
        self.why = why


@dataclass(frozen=True, slots=True)
class _Head:
    id: str
    type: str
    at: float
    event: dict[str, Any]


class Envelopes:
    """Closes and opens the envelopes of one stream.

    Args:
        sealer: Its first key makes tags, every one of them is accepted; `Plaintext()`: there are none.
        stream: The stream's key.
        kinds: Types of events beyond those of `mintkey.events`.

    Raises:
        ConfigurationError: A type is no dataclass that derives from `Event`, cannot be read back, or has the name of
            another; all problems at once (`configuration`).
    """

    def __init__(self, sealer: Sealer | Plaintext, stream: bytes, kinds: Iterable[type[Event]], /) -> None:
        self._sealer = sealer if isinstance(sealer, Sealer) else None
        self._stream = stream
        self._head = reader_for(_Head)
        self._readers: dict[str, Reader] = {}
        self._kinds: set[type[Event]] = set()
        problems: list[str] = []
        for kind in (*_own_kinds(), *kinds):
            problem = self._add(kind)
            if problem:
                problems.append(f"events: {getattr(kind, '__name__', kind)!s} {problem}")
        ConfigurationError.raise_if(problems)

    def close(self, event: Event, event_id: str, now: float, /) -> tuple[bytes, bytes]:
        """An event's message and tag.

        Args:
            event: The event.
            event_id: Its id.
            now: When it is published, in seconds since the epoch.

        Raises:
            ConfigurationError: It is of a type that was not named, holds what its type does not allow, or is too long
                (`configuration`).
        """
        name = type(event).__name__
        if type(event) not in self._kinds:
            raise ConfigurationError(f"publish: {name} is no type of this bus; name it in events=")
        members = plain(event)
        try:
            self._readers[name](members, "")
            message = dumps({"id": event_id, "type": name, "at": now, "event": members})
        except (Unreadable, StrictJSONError):
            raise ConfigurationError(f"publish: the {name} holds what its type does not allow") from None
        if len(message) > _MOST_BYTES:
            raise ConfigurationError(f"publish: the {name} is longer than {_MOST_BYTES} bytes")
        return message, b"" if self._sealer is None else self._sealer.authenticate(self._statement(message))

    def open(self, fields: Mapping[bytes, bytes], /, *, deliveries: int = 1) -> Delivered:
        """The event in an entry.

        Args:
            fields: What stands in the stream.
            deliveries: How often it was delivered, this time included.

        Raises:
            MisfitError: It is none of ours.
        """
        message = fields.get(_MESSAGE, b"")
        if self._sealer is not None and not self._is_authentic(self._sealer, message, fields.get(_TAG, b"")):
            raise MisfitError(Trouble.FORGED)
        try:
            head = cast("_Head", self._head(loads(message), ""))
            reader = self._readers.get(head.type)
            if reader is not None:
                event, published_at = reader(head.event, ""), from_timestamp(head.at)
                return Delivered(id=head.id, event=event, published_at=published_at, deliveries=deliveries)
        except Exception:  # noqa: BLE001 - a type of the caller's may look at itself, and raise anything
            raise MisfitError(Trouble.UNREADABLE) from None
        raise MisfitError(Trouble.UNKNOWN_TYPE)

    def _is_authentic(self, sealer: Sealer, message: bytes, tag: bytes) -> bool:
        return len(message) <= _MOST_BYTES and sealer.is_authentic(self._statement(message), tag)

    def _statement(self, message: bytes) -> bytes:
        return _DOMAIN + joined(self._stream, message)

    def _add(self, kind: type[Event]) -> str:
        """Learn a type; what is wrong with it, if anything is."""
        known = cast("object", kind)  # whatever its type said
        if not (isinstance(known, type) and issubclass(known, Event) and dataclasses.is_dataclass(known)):
            return "must be a dataclass that derives from Event"
        if kind.__name__ in self._readers:
            return "has the name of another type" if kind not in self._kinds else ""
        try:
            self._readers[kind.__name__] = reader_for(kind)
        except (ConfigurationError, NameError):
            return "has a field that cannot be read back from JSON"
        self._kinds.add(kind)
        return ""


def _own_kinds() -> list[type[Event]]:
    values = cast("Iterable[object]", vars(events).values())
    return [value for value in values if isinstance(value, type) and issubclass(value, Event)]
