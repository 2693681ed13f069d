"""The SQL key provider: its settings; what it does is the engine's, and the contract suite asks for that."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mintkey.errors import ConfigurationError
from mintkey.keys.base import KeyState
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.sql import SQLKeyProvider
from mintkey.testing.clock import FakeClock
from tests.support.sql_harness import engine_of

SEALER = Sealer([bytes(range(32))])


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = engine_of(tmp_path / "app.db")
    yield engine
    await engine.dispose()


def test_private_keys_are_never_plain_by_oversight() -> None:
    with pytest.raises(ConfigurationError, match=r"SQLKeyProvider .*sealer=Sealer.*custodian=.*Plaintext"):
        SQLKeyProvider("sqlite://")


def test_a_sealer_beside_a_custodian_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        SQLKeyProvider("sqlite://", sealer=SEALER, custodian=SealedCustodian(SEALER, ring="default"))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{}/keys.db"])
async def test_a_restart_finds_the_keys_of_a_file_and_none_in_memory(tmp_path: Path, url: str) -> None:
    kids: list[str] = []
    for _ in range(2):
        async with SQLKeyProvider(url.format(tmp_path), sealer=SEALER) as provider:
            kids.append((await provider.acquire()).key.kid)
    assert (kids[0] == kids[1]) is ("keys.db" in url)


async def test_keys_may_be_plain_by_name_or_kept_by_a_custodian(engine: AsyncEngine) -> None:
    for ring, settings in {
        "plain": SQLKeyProvider(engine, ring="plain", sealer=Plaintext()),
        "kept": SQLKeyProvider(engine, ring="kept", custodian=SealedCustodian(SEALER, ring="kept")),
    }.items():
        async with settings as provider:
            grant = await provider.acquire()
            verifier = await provider.resolve(grant.key.kid)
            assert verifier.verify(ring.encode(), await grant.key.sign(ring.encode()))


async def test_all_settings_reach_the_engine(engine: AsyncEngine) -> None:
    clock = FakeClock()
    policy = RotationPolicy(
        every=timedelta(hours=1), previous_ttl=timedelta(hours=2), publish_ahead=timedelta(minutes=5)
    )
    async with SQLKeyProvider(
        engine,
        ring="tokens",
        algorithm="ES256",
        policy=policy,
        clock=clock,
        sealer=SEALER,
        refresh_interval=timedelta(seconds=50),
        outage_tolerance=timedelta(minutes=3),
        max_clock_skew=timedelta(seconds=10),
    ) as provider:
        await provider.acquire()
        assert provider.max_token_age == timedelta(hours=2)
        assert (await provider.jwks()).max_age == timedelta(minutes=4)
        clock.advance(timedelta(hours=1))
        await provider.acquire()
        assert [(version.state, version.algorithm) for version in await provider.versions()] == [
            (KeyState.PENDING, "ES256"),
            (KeyState.ACTIVE, "ES256"),
            (KeyState.RETIRING, "ES256"),
        ]


async def test_an_engine_of_the_application_outlives_the_provider(engine: AsyncEngine) -> None:
    pool = engine.pool
    async with SQLKeyProvider(engine, sealer=SEALER) as provider:
        await provider.acquire()
    assert engine.pool is pool
