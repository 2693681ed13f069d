"""Every key custodian keeps the contract."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import get_args

import pytest

from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.contracts.custodians import CustodianHarness, KeyCustodianContract
from tests.support.hsm_harness import hsm_custodians
from tests.support.kms_harness import kms_custodians

pytest_plugins = ["tests.support.hsm_fixtures", "tests.support.kms_fixtures"]

OpenCustodians = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[CustodianHarness]]


@dataclass
class SealedHarness:
    sealer: Sealer | Plaintext
    algorithms: Sequence[Algorithm] = field(default_factory=lambda: get_args(Algorithm))

    def custodian(self) -> KeyCustodian:
        return SealedCustodian(self.sealer, ring="default", rsa_bits=2048)


@asynccontextmanager
async def sealed(_request: pytest.FixtureRequest) -> AsyncIterator[CustodianHarness]:
    yield SealedHarness(Sealer([Sealer.generate_key()]))


@asynccontextmanager
async def plain(_request: pytest.FixtureRequest) -> AsyncIterator[CustodianHarness]:
    yield SealedHarness(Plaintext(), algorithms=("EdDSA", "RS256", "HS256"))


# One line a custodian.
CUSTODIANS = [
    pytest.param(sealed, id="sealed"),
    pytest.param(plain, id="plain"),
    pytest.param(kms_custodians, id="aws kms"),
    pytest.param(hsm_custodians, id="pkcs11"),
]


class TestCustodians(KeyCustodianContract):
    @pytest.fixture(params=CUSTODIANS)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[CustodianHarness]:
        open_custodians: OpenCustodians = request.param
        async with open_custodians(request) as harness:
            yield harness
