"""Typed events between services, over Redis Streams: none is lost, and each carries the tag of who has the key.

```
forwarder · push                    from hooks to the bus · from the bus to caches and rings
        │
       bus                          the public face
        │
 worker · listener                  one consumer of a group · everybody's ear
        │
patience · lag · envelope · stream  outages · who keeps up · bytes and tags · what is asked of the servers
        │
delivered · notices · scripts       what is handled · what is told · what must not be interrupted
```
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.errors import EventBusError
from mintkey.lazily import lazy_names

if TYPE_CHECKING:
    from mintkey.bus.bus import EventBus
    from mintkey.bus.delivered import Delivered, SetAside
    from mintkey.bus.forwarder import Forwarder
    from mintkey.bus.notices import BusNotice, BusObserver, Trouble
    from mintkey.bus.push import Push
    from mintkey.bus.stream import GroupStanding

__all__ = [
    "BusNotice",
    "BusObserver",
    "Delivered",
    "EventBus",
    "EventBusError",
    "Forwarder",
    "GroupStanding",
    "Push",
    "SetAside",
    "Trouble",
]

__getattr__: Callable[[str], object] = lazy_names(
    __name__,
    {
        "BusNotice": "mintkey.bus.notices",
        "BusObserver": "mintkey.bus.notices",
        "Delivered": "mintkey.bus.delivered",
        "EventBus": "mintkey.bus.bus",
        "Forwarder": "mintkey.bus.forwarder",
        "GroupStanding": "mintkey.bus.stream",
        "Push": "mintkey.bus.push",
        "SetAside": "mintkey.bus.delivered",
        "Trouble": "mintkey.bus.notices",
    },
)
