"""Every replay store keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from mintkey.testing.contracts.replay_stores import ReplayStoreContract, ReplayStoreHarness
from tests.support.replay_table import REPLAY_STORES, OpenReplayStores


class TestReplayStores(ReplayStoreContract):
    @pytest.fixture(params=REPLAY_STORES)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[ReplayStoreHarness]:
        open_stores: OpenReplayStores = request.param
        async with open_stores(request) as harness:
            yield harness
