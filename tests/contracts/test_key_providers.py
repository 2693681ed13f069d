"""Every rotating key provider keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from mintkey.testing.contracts.providers import KeyProviderContract, KeyProviderHarness
from tests.support.hsm_harness import PROVIDERS_WITH_HSM
from tests.support.key_harness import PROVIDERS, OpenProviders
from tests.support.kms_harness import PROVIDERS_WITH_KMS

pytest_plugins = ["tests.support.hsm_fixtures", "tests.support.kms_fixtures"]

ALL_PROVIDERS = [
    *PROVIDERS,
    *PROVIDERS_WITH_KMS,
    *PROVIDERS_WITH_HSM,
]


class TestKeyProviders(KeyProviderContract):
    @pytest.fixture(params=ALL_PROVIDERS)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[KeyProviderHarness]:
        open_providers: OpenProviders = request.param
        async with open_providers(request) as harness:
            yield harness
