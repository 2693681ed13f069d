"""Every promise of a replay store, as tests: subclass `ReplayStoreContract`, give a harness, run pytest.

```python
class TestMyReplayStore(ReplayStoreContract):
    @pytest.fixture
    async def harness(self):
        async with MyHarness() as harness:
            yield harness
```

Every test gets a fresh harness: an empty memory.
"""

from datetime import timedelta

import pytest

from mintkey.testing.contracts.replay_claims import ClaimContract, ReservationContract
from mintkey.testing.contracts.replay_harness import ClosableStore, ReplayStoreHarness, new_key
from mintkey.testing.contracts.replay_memory import LifecycleContract, MemoryContract
from mintkey.testing.contracts.replay_revocation import CutOffContract, RevocationContract

__all__ = ["ClosableStore", "ReplayStoreContract", "ReplayStoreHarness"]


@pytest.mark.anyio
class ReplayStoreContract(
    ClaimContract, ReservationContract, RevocationContract, CutOffContract, MemoryContract, LifecycleContract
):
    """The promises of `ReplayStore` and `RevocationStore`, one test each.

    Example:
        >>> from mintkey.testing.contracts.replay_stores import ReplayStoreContract
        >>> class TestMyReplayStore(ReplayStoreContract):
        ...     @pytest.fixture
        ...     async def harness(self): ...
    """

    @pytest.fixture
    async def store(self, harness: ReplayStoreHarness) -> ClosableStore:
        """A store whose memory began long before now."""
        store = await harness.store()
        await store.status(new_key(), issued_at=harness.clock.now())
        harness.clock.advance(timedelta(hours=1))
        return store
