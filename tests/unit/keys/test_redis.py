"""The Redis key provider: its settings; what it does is the engine's, and the contract suite asks for that."""

from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError
from mintkey.keys.base import KeyState
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.redis import RedisKeyProvider
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.clock import FakeClock
from tests.support.servers import RedisServer

SEALER = Sealer([bytes(range(32))])


def test_private_keys_are_never_plain_by_oversight() -> None:
    with pytest.raises(ConfigurationError, match=r"RedisKeyProvider .*sealer=Sealer.*custodian=.*Plaintext"):
        RedisKeyProvider("redis://localhost")


def test_a_sealer_beside_a_custodian_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        RedisKeyProvider("redis://localhost", sealer=SEALER, custodian=SealedCustodian(SEALER, ring="default"))


async def test_keys_may_be_plain_by_name_or_kept_by_a_custodian(valkey: RedisServer) -> None:
    for ring, settings in {
        "plain": RedisKeyProvider(valkey.url, ring="plain", sealer=Plaintext()),
        "kept": RedisKeyProvider(valkey.url, ring="kept", custodian=SealedCustodian(SEALER, ring="kept")),
    }.items():
        async with settings as provider:
            grant = await provider.acquire()
            verifier = await provider.resolve(grant.key.kid)
            assert verifier.verify(ring.encode(), await grant.key.sign(ring.encode()))


async def test_all_settings_reach_the_engine(valkey: RedisServer) -> None:
    clock = FakeClock()
    provider = RedisKeyProvider(
        valkey.url,
        ring="payments",
        algorithm="ES256",
        policy=RotationPolicy(every=timedelta(days=2), previous_ttl=timedelta(hours=3)),
        clock=clock,
        sealer=SEALER,
        refresh_interval=timedelta(seconds=7),
        outage_tolerance=timedelta(seconds=8),
        max_clock_skew=timedelta(seconds=9),
        prefix="shop",
        replicas=0,
    )
    async with provider:
        versions = await provider.versions()
        assert {version.algorithm for version in versions} == {"ES256"}
        assert [version.state for version in versions] == [KeyState.PENDING, KeyState.ACTIVE]
        assert versions[-1].created_at == clock.now()
        assert provider.max_token_age == timedelta(hours=3)
    (key,) = await valkey.send("KEYS", "*")
    assert key.startswith("shop{")
    assert key.endswith("}#payments")
    assert await valkey.send("TTL", key) == -1


async def test_settings_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        RedisKeyProvider("redis://localhost", sealer=SEALER, prefix="{")
    with pytest.raises(ConfigurationError, match="replicas"):
        RedisKeyProvider("redis://localhost", sealer=SEALER, replicas=-1)
    with pytest.raises(ConfigurationError, match="ring must be"):
        RedisKeyProvider("redis://localhost", sealer=SEALER, ring="a b")


async def test_no_key_is_readable_on_the_server(valkey: RedisServer) -> None:
    async with RedisKeyProvider(valkey.url, sealer=SEALER) as provider:
        kid = (await provider.acquire()).key.kid
    (key,) = await valkey.send("KEYS", "*")
    fields = await valkey.send("HGETALL", key)
    assert kid not in key
    assert f"+{kid}" in fields
    assert '"d"' not in fields["="]
