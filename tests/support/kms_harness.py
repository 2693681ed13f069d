"""AWS KMS for the contract suites: custodians of one KMS, and providers with them on every kind of store."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.aws_kms import AwsKmsCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian, KeyRingStore
from mintkey.testing.contracts.providers import ContractProvider, KeyProviderHarness
from tests.support.key_harness import OpenProviders, memory
from tests.support.kms import KmsServer
from tests.support.redis_ring_harness import redis_ring
from tests.support.sql_harness import sqlite

__all__ = ["PROVIDERS_WITH_KMS", "kms_custodians"]


@dataclass
class KmsCustodians:
    """Every one as another process would make it."""

    kms: KmsServer
    algorithms: Sequence[Algorithm] = ("ES256", "ES384", "ES512", "EdDSA", "RS256", "PS384")
    made: list[AwsKmsCustodian] = field(default_factory=list[AwsKmsCustodian])

    def custodian(self) -> KeyCustodian:
        self.made.append(AwsKmsCustodian(endpoint_url=self.kms.url, rsa_bits=2048))
        return self.made[-1]


@asynccontextmanager
async def kms_custodians(request: pytest.FixtureRequest) -> AsyncIterator[KmsCustodians]:
    custodians = KmsCustodians(request.getfixturevalue("kms"))
    yield custodians
    for custodian in custodians.made:
        await custodian.aclose()


class Rings(Protocol):
    """A place for rings, and how to lose one."""

    def store(self) -> KeyRingStore: ...
    async def lose_ring(self) -> None: ...


@dataclass
class CustodianHarness:
    """Providers whose ring is in one place, and whose keys are in another."""

    rings: Rings
    custodians: KmsCustodians
    algorithm: Algorithm = "ES256"

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        custodian = self.custodians.custodian()
        return RotatingKeyProvider(
            self.rings.store(), custodian=custodian, algorithm=self.algorithm, clock=clock, policy=policy
        )

    async def lose_ring(self) -> None:
        await self.rings.lose_ring()


def with_kms(fixture: str, rings: Callable[[Any], AbstractAsyncContextManager[Rings]]) -> OpenProviders:
    """Providers with their keys in KMS and their ring in a place."""

    @asynccontextmanager
    async def opened(request: pytest.FixtureRequest) -> AsyncIterator[KeyProviderHarness]:
        async with rings(request.getfixturevalue(fixture)) as place, kms_custodians(request) as custodians:
            yield CustodianHarness(place, custodians)

    return opened


PROVIDERS_WITH_KMS = [
    pytest.param(with_kms("tmp_path", memory), id="aws kms, memory"),
    pytest.param(with_kms("valkey", redis_ring), id="aws kms, valkey"),
    pytest.param(with_kms("tmp_path", sqlite), id="aws kms, sqlite"),
]
