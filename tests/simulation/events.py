"""What may happen in a simulated fleet: plain values, so that schedules can be drawn, told and cut down."""

from enum import Enum
from typing import NamedTuple

__all__ = ["Action", "Aim", "Event", "Fault"]


class Action(Enum):
    """What somebody does."""

    MINT = "mint"
    MINT_MANY = "mint many"
    MINT_PINNED = "mint with the pending version"
    VERIFY = "verify inside"
    VERIFY_EVERYWHERE = "verify on every node"
    VERIFY_OUTSIDE = "verify outside"
    MAINTAIN = "maintain"
    ROTATE = "rotate by hand"
    REVOKE = "revoke in an emergency"
    FLOOD = "ask for a kid that never was"
    CRASH = "crash and start again"
    RESTART = "close and start again"
    PARTITION = "cut off from the store, or reach it again"
    BACK_UP = "back the store up"
    LOSE = "lose the ring"
    ROLL_BACK = "restore the backup"


class Aim(Enum):
    """At what moment an event happens: some time after the last one, or where something changes."""

    AT_ONCE = "at once"
    SOON = "soon"
    LATER = "later"
    ROTATION = "when a rotation is due"
    TOKEN_END = "before a token ends"
    STALE = "before or after a snapshot is stale"
    TOLERATED = "before or after an outage is tolerated"
    CACHE_END = "before or after a cache is to be filled anew"
    VERIFY_UNTIL = "when a version is past its time"


class Fault(Enum):
    """What happens to the one who acts, or what the store does to him."""

    NONE = "answers"
    FAILS = "fails"
    LOSES_ANSWERS = "does it, but the answer is lost"
    STOPS = "answers, and whoever acts is stopped in the middle"


class Event(NamedTuple):
    """Something that happens. Numbers below one choose among whatever is there by then.

    Attributes:
        aim: At what moment.
        spread: Where around that.
        action: What.
        who: Which node.
        what: Which token, version or verifier.
        rival: Which node gets between a look at the store and the change that follows; from one on: none.
        fault: What the store does.
    """

    aim: Aim
    spread: float
    action: Action
    who: float
    what: float
    rival: float
    fault: Fault
