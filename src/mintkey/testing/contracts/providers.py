"""What every rotating `IKeyProvider` promises, as tests for yours.

```python
class MyHarness:
    def __init__(self, path: Path) -> None:
        self._path = path

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        return MyKeyProvider(self._path, clock=clock, policy=policy)  # a new one each time, as another process would

    async def lose_ring(self) -> None:
        await anyio.Path(self._path).unlink()


class TestMyProvider(KeyProviderContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> MyHarness:
        return MyHarness(tmp_path)
```

The fixture may be asynchronous, and closes behind its `yield` what it opened; providers are closed by the contract.
Every test gets a fresh one: a backing store without any ring.
"""

from collections.abc import AsyncIterator

import pytest

from mintkey.keys.policy import RotationPolicy
from mintkey.testing.clock import FakeClock
from mintkey.testing.contracts.provider_faults import FaultContract, ProviderLifecycleContract
from mintkey.testing.contracts.provider_harness import ContractProvider, KeyProviderHarness, StartProcess
from mintkey.testing.contracts.provider_minting import CountContract, PinnedContract
from mintkey.testing.contracts.provider_publishing import JWKSetContract, ResolveContract
from mintkey.testing.contracts.provider_rotation import OperatorContract, RingContract, TimeContract

__all__ = ["ContractProvider", "KeyProviderContract", "KeyProviderHarness", "StartProcess"]


@pytest.mark.anyio
class KeyProviderContract(
    RingContract,
    TimeContract,
    OperatorContract,
    CountContract,
    PinnedContract,
    ResolveContract,
    JWKSetContract,
    FaultContract,
    ProviderLifecycleContract,
):
    """Subclass it, override the fixture `harness`, and every promise of `IKeyProvider` is tested against yours.

    Example:
        >>> from mintkey.testing.contracts.providers import KeyProviderContract
        >>> class TestMyProvider(KeyProviderContract):
        ...     @pytest.fixture
        ...     def harness(self): ...
    """

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The time of the whole fleet."""
        return FakeClock()

    @pytest.fixture
    async def start(self, harness: KeyProviderHarness, clock: FakeClock) -> AsyncIterator[StartProcess]:
        """Starts processes of one fleet."""
        started: list[ContractProvider] = []

        def start(policy: RotationPolicy) -> ContractProvider:
            started.append(harness.provider(clock=clock, policy=policy))
            return started[-1]

        yield start
        for provider in started:
            await provider.aclose()
