"""Every key custodian keeps the contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

import pytest

from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.ports import KeyCustodian
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.contracts.custodians import CustodianHarness, KeyCustodianContract


@dataclass
class SealedHarness:
    sealer: Sealer | Plaintext
    algorithms: Sequence[Algorithm] = field(default_factory=lambda: get_args(Algorithm))

    def custodian(self) -> KeyCustodian:
        return SealedCustodian(self.sealer, ring="default", rsa_bits=2048)


def sealed() -> CustodianHarness:
    return SealedHarness(Sealer([Sealer.generate_key()]))


def plain() -> CustodianHarness:
    return SealedHarness(Plaintext(), algorithms=("EdDSA", "RS256", "HS256"))


# One line a custodian.
CUSTODIANS = [
    pytest.param(sealed, id="sealed"),
    pytest.param(plain, id="plain"),
]


class TestCustodians(KeyCustodianContract):
    @pytest.fixture(params=CUSTODIANS)
    def harness(self, request: pytest.FixtureRequest) -> CustodianHarness:
        make: Callable[[], CustodianHarness] = request.param
        return make()
