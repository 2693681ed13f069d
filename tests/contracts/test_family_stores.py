"""Every family store keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from mintkey.testing.contracts.families import FamilyStoreContract
from mintkey.testing.contracts.replay_stores import ReplayStoreHarness
from tests.support.replay_table import REPLAY_STORES, OpenReplayStores


class TestFamilyStores(FamilyStoreContract):
    @pytest.fixture(params=REPLAY_STORES)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[ReplayStoreHarness]:
        open_stores: OpenReplayStores = request.param
        async with open_stores(request) as harness:
            yield harness
