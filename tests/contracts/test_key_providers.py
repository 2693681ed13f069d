"""Every rotating key provider keeps the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mintkey.testing.contracts.providers import KeyProviderContract, KeyProviderHarness
from tests.support.key_harness import PROVIDERS, OpenProviders


class TestKeyProviders(KeyProviderContract):
    @pytest.fixture(params=PROVIDERS)
    async def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KeyProviderHarness]:
        open_providers: OpenProviders = request.param
        async with open_providers(tmp_path) as harness:
            yield harness
