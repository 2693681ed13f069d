"""What a rotating provider is made of, for the tools of this package that change a ring in unusual ways."""

from dataclasses import dataclass

from mintkey.clock import Clock
from mintkey.flight import Detached
from mintkey.keys.access import RingAccess
from mintkey.keys.keeper import RingKeeper
from mintkey.keys.keychain import Keychain
from mintkey.keys.policy import RotationPolicy

__all__ = ["RingWorkings"]


@dataclass(frozen=True, slots=True)
class RingWorkings:
    """The parts of one provider.

    Attributes:
        access: The ring in its store.
        keeper: The snapshot, and the only way to change the ring.
        keychain: Knows the custodian.
        tasks: Where work runs that outlives a caller who is cancelled.
        policy: When versions rotate and how long they verify.
        clock: Where time comes from.
    """

    access: RingAccess
    keeper: RingKeeper
    keychain: Keychain
    tasks: Detached
    policy: RotationPolicy
    clock: Clock
