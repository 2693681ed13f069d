"""What tests of code that uses mintkey need, and what backends of your own are accepted by.

`FakeClock`, tokens that must be refused, users without a token, stores that fail on demand, a TCP proxy that
misbehaves, contract suites, and the pytest plugin that is installed with the package.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.lazily import lazy_names
from mintkey.testing.clock import FakeClock

if TYPE_CHECKING:
    from mintkey.integrations.overrides import override_service, override_user
    from mintkey.testing.contracts.custodians import KeyCustodianContract
    from mintkey.testing.contracts.families import FamilyStoreContract
    from mintkey.testing.contracts.providers import KeyProviderContract
    from mintkey.testing.contracts.replay_stores import ReplayStoreContract
    from mintkey.testing.contracts.ring_stores import KeyRingStoreContract
    from mintkey.testing.factories import flawed_token, verified_token
    from mintkey.testing.faults import FaultyReplayStore, FaultyRingStore, StoreFault
    from mintkey.testing.flaws import Flaw, flaws_of
    from mintkey.testing.proxy import Fate, Fault, FaultyProxy

__all__ = [
    "FakeClock",
    "FamilyStoreContract",
    "Fate",
    "Fault",
    "FaultyProxy",
    "FaultyReplayStore",
    "FaultyRingStore",
    "Flaw",
    "KeyCustodianContract",
    "KeyProviderContract",
    "KeyRingStoreContract",
    "ReplayStoreContract",
    "StoreFault",
    "flawed_token",
    "flaws_of",
    "override_service",
    "override_user",
    "verified_token",
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
        "Flaw": "mintkey.testing.flaws",
        "KeyCustodianContract": "mintkey.testing.contracts.custodians",
        "KeyProviderContract": "mintkey.testing.contracts.providers",
        "KeyRingStoreContract": "mintkey.testing.contracts.ring_stores",
        "ReplayStoreContract": "mintkey.testing.contracts.replay_stores",
        "StoreFault": "mintkey.testing.faults",
        "flawed_token": "mintkey.testing.factories",
        "flaws_of": "mintkey.testing.flaws",
        "override_service": "mintkey.integrations.overrides",
        "override_user": "mintkey.integrations.overrides",
        "verified_token": "mintkey.testing.factories",
    },
)
