"""What tests of code that uses mintkey need, and what backends of your own are accepted by.

`FakeClock`, stores that fail on demand, a TCP proxy that misbehaves, contract suites, and the pytest plugin that is
installed with the package.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.lazily import lazy_names
from mintkey.testing.clock import FakeClock

if TYPE_CHECKING:
    from mintkey.testing.contracts.custodians import KeyCustodianContract
    from mintkey.testing.contracts.families import FamilyStoreContract
    from mintkey.testing.contracts.providers import KeyProviderContract
    from mintkey.testing.contracts.replay_stores import ReplayStoreContract
    from mintkey.testing.contracts.ring_stores import KeyRingStoreContract
    from mintkey.testing.faults import FaultyReplayStore, FaultyRingStore, StoreFault
    from mintkey.testing.proxy import Fate, Fault, FaultyProxy

__all__ = [
    "FakeClock",
    "FamilyStoreContract",
    "Fate",
    "Fault",
    "FaultyProxy",
    "FaultyReplayStore",
    "FaultyRingStore",
    "KeyCustodianContract",
    "KeyProviderContract",
    "KeyRingStoreContract",
    "ReplayStoreContract",
    "StoreFault",
]

__getattr__: Callable[[str], object] = lazy_names(
    __name__,
    {
        "FamilyStoreContract": "mintkey.testing.contracts.families",
        "Fate": "mintkey.testing.proxy",
        "Fault": "mintkey.testing.proxy",
        "FaultyProxy": "mintkey.testing.proxy",
        "FaultyReplayStore": "mintkey.testing.faults",
        "FaultyRingStore": "mintkey.testing.faults",
        "KeyCustodianContract": "mintkey.testing.contracts.custodians",
        "KeyProviderContract": "mintkey.testing.contracts.providers",
        "KeyRingStoreContract": "mintkey.testing.contracts.ring_stores",
        "ReplayStoreContract": "mintkey.testing.contracts.replay_stores",
        "StoreFault": "mintkey.testing.faults",
    },
)
