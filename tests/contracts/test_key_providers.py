"""Every rotating key provider keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from mintkey.testing.contracts.providers import KeyProviderContract, KeyProviderHarness
from tests.support.key_harness import PROVIDERS, OpenProviders


class TestKeyProviders(KeyProviderContract):
    @pytest.fixture(params=PROVIDERS)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[KeyProviderHarness]:
        open_providers: OpenProviders = request.param
        async with open_providers(request) as harness:
            yield harness
