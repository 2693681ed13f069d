"""What a handler is given, and what was put aside because nobody could handle it."""

from dataclasses import dataclass
from datetime import datetime

from mintkey.bus.notices import Trouble
from mintkey.events import Event

__all__ = ["Delivered", "SetAside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """An event as it came.

    Attributes:
        id: The event's own id, the same in every delivery of it: by it a handler knows what it did already.
        event: What happened.
        published_at: When it was published, by the publisher's clock; an aware UTC datetime.
        deliveries: How often the group was given it, this time included.

    Example:
        ```python
        async def handle(delivered: Delivered) -> None:
            async with database.begin() as transaction:
                if await transaction.insert_unless_there("handled_events", id=delivered.id):
                    await notify(transaction, delivered.event)
        ```
    """

    id: str
    event: Event
    published_at: datetime
    deliveries: int = 1

    @property
    def is_redelivered(self) -> bool:
        """Whether somebody was given it before, and may have handled it."""
        return self.deliveries > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An event out of the way of its group, kept until somebody discards it.

    Attributes:
        entry: Its place among those that were put aside; what `EventBus.discard` takes.
        why: Why it is there.
        delivered: The event, if it can be read by now; None: it still cannot.

    Example:
        ```python
        for found in await bus.set_aside("billing"):
            if found.delivered is not None:
                await handle(found.delivered)
                await bus.discard("billing", found.entry)
        ```
    """

    entry: str
    why: Trouble
    delivered: Delivered | None
