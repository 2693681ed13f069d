"""What a bus has to tell about itself: closed words and counts, to logs and to whoever wants to know."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["BusNotice", "BusObserver", "Teller", "Trouble"]

_logger = logging.getLogger("mintkey.bus")


class Trouble(StrEnum):
    """What may go wrong on a bus: a closed set that only grows.

    Example:
        >>> Trouble.FORGED.is_put_aside, Trouble.LAGGING.is_put_aside
        (True, False)
    """

    FORGED = "forged"
    UNREADABLE = "unreadable"
    UNKNOWN_TYPE = "unknown_type"
    UNDELIVERABLE = "undeliverable"
    HANDLER_FAILED = "handler_failed"
    LAGGING = "lagging"
    TRIMMED = "trimmed"
    FORGOTTEN = "forgotten"
    DEGRADED = "degraded"
    OVERFLOW = "overflow"

    @property
    def is_put_aside(self) -> bool:
        """Whether a group puts an event aside for it."""
        return self in {self.FORGED, self.UNREADABLE, self.UNKNOWN_TYPE, self.UNDELIVERABLE}


_SENTENCES = {
    Trouble.FORGED: "%d event(s) without a good tag: who wrote them has not the key, or a key is missing here",
    Trouble.UNREADABLE: "%d authentic event(s) that cannot be read",
    Trouble.UNKNOWN_TYPE: "%d event(s) of a type that this process does not know: name it in events=",
    Trouble.UNDELIVERABLE: "%d event(s) were delivered too often without success",
    Trouble.HANDLER_FAILED: "%d handler(s) failed; the event comes again",
    Trouble.LAGGING: "%d event(s) are unread, more than half of what the stream holds, so that some may get lost",
    Trouble.TRIMMED: "%d event(s) were cut off the stream unhandled",
    Trouble.FORGOTTEN: "the server forgot the stream or the group, %d time(s); begun anew",
    Trouble.DEGRADED: "the server cannot be used, %d time(s) in a row; trying again",
    Trouble.OVERFLOW: "%d event(s) were dropped before they reached the server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BusNotice:
    """Something that a bus has to tell about itself.

    Attributes:
        stream: The name of the stream.
        group: The group concerned; empty: none in particular.
        trouble: What it is.
        count: How many are concerned.

    Example:
        >>> BusNotice(stream="events", group="billing", trouble=Trouble.TRIMMED, count=3).count
        3
    """

    stream: str
    group: str
    trouble: Trouble
    count: int


class BusObserver(Protocol):
    """Anything that wants to be told. Called on the event loop, so it must not block.

    Example:
        ```python
        def count(notice: BusNotice) -> None:
            bus_troubles.labels(notice.trouble, notice.group).inc(notice.count)

        EventBus("redis://localhost", sealer=sealer, observers=[count])
        ```
    """

    def __call__(self, notice: BusNotice, /) -> None:
        """Take note; whatever is raised is logged and changes nothing."""
        ...


class Teller:
    """Tells the log and every observer.

    Args:
        stream: The name of the stream.
        observers: Who is told.
    """

    def __init__(self, stream: str, observers: Sequence[BusObserver], /) -> None:
        self._stream = stream
        self._observers = tuple(observers)

    def tell(self, trouble: Trouble, /, *, group: str = "", count: int = 1, detail: str = "") -> None:
        """Tell of something; an observer that raises is logged by its type alone.

        Args:
            trouble: What it is.
            group: The group concerned.
            count: How many are concerned.
            detail: A closed word for the log: the type of an error, or its code.
        """
        sentence = _SENTENCES[trouble] % count + (f" ({detail})" if detail else "")
        _logger.warning("stream %r, group %r: %s", self._stream, group, sentence)
        notice = BusNotice(stream=self._stream, group=group, trouble=trouble, count=count)
        for observer in self._observers:
            try:
                observer(notice)
            except Exception as error:  # noqa: BLE001 - a broken observer must not stop a consumer
                _logger.error("an observer raised %s on %s", type(error).__name__, trouble)  # noqa: TRY400 - no trace: it may quote
