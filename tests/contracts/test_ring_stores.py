"""Every ring store keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from mintkey.testing.contracts.ring_stores import KeyRingStoreContract, RingStoreHarness
from tests.support.key_harness import STORES, OpenStores


class TestRingStores(KeyRingStoreContract):
    @pytest.fixture(params=STORES)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[RingStoreHarness]:
        open_stores: OpenStores = request.param
        async with open_stores(request) as harness:
            yield harness
