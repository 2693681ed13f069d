"""A PKCS#11 token for the contract suites: its custodians, and providers with them on every kind of store."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from mintkey.clock import Clock
from mintkey.keys.base import Algorithm
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian, KeyRingStore
from mintkey.testing.contracts.providers import ContractProvider, KeyProviderHarness
from tests.support.hsm import Hsm
from tests.support.key_harness import OpenProviders, memory
from tests.support.redis_ring_harness import redis_ring
from tests.support.sql_harness import sqlite

__all__ = ["PROVIDERS_WITH_HSM", "hsm_custodians"]


@dataclass
class HsmCustodians:
    hsm: Hsm
    algorithms: Sequence[Algorithm] = ("ES256", "ES512", "EdDSA", "RS256", "PS384")

    def custodian(self) -> KeyCustodian:
        return self.hsm.custodian()


@asynccontextmanager
async def hsm_custodians(request: pytest.FixtureRequest) -> AsyncIterator[HsmCustodians]:
    yield HsmCustodians(request.getfixturevalue("hsm"))


class Rings(Protocol):
    """A place for rings, and how to lose one."""

    def store(self) -> KeyRingStore: ...
    async def lose_ring(self) -> None: ...


@dataclass
class HsmProviders:
    """Providers whose ring is in one place, and whose keys are on a token."""

    rings: Rings
    hsm: Hsm

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        return RotatingKeyProvider(
            self.rings.store(), custodian=self.hsm.custodian(), algorithm="ES256", clock=clock, policy=policy
        )

    async def lose_ring(self) -> None:
        await self.rings.lose_ring()


def with_hsm(fixture: str, rings: Callable[[Any], AbstractAsyncContextManager[Rings]]) -> OpenProviders:
    """Providers with their keys on a token and their ring in a place."""

    @asynccontextmanager
    async def opened(request: pytest.FixtureRequest) -> AsyncIterator[KeyProviderHarness]:
        async with rings(request.getfixturevalue(fixture)) as place:
            yield HsmProviders(place, request.getfixturevalue("hsm"))

    return opened


PROVIDERS_WITH_HSM = [
    pytest.param(with_hsm("tmp_path", memory), id="pkcs11, memory"),
    pytest.param(with_hsm("valkey", redis_ring), id="pkcs11, valkey"),
    pytest.param(with_hsm("tmp_path", sqlite), id="pkcs11, sqlite"),
]
