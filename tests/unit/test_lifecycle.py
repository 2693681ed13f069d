"""Openings are counted: one store serves several services and is closed by the last to leave."""

import asyncio
import copy
import pickle
from datetime import timedelta
from typing import ClassVar

import anyio
import pytest

from mintkey import Purpose, TokenService, TokenVerifier
from mintkey.errors import KeyProviderError, ReplayStoreError
from mintkey.health import Check
from mintkey.keys import MemoryKeyProvider
from mintkey.lifecycle import Resource
from mintkey.opening import Openings
from mintkey.replay import ClaimStatus, MemoryReplayStore

LINK = Purpose("link", lifetime=timedelta(minutes=1), single_use=True)


class Recorder(Resource):
    def __init__(self, *, fails=False):
        self.log: list[str] = []
        self.fails = fails

    async def _open(self):
        self.log.append("open")
        if self.fails:
            raise ReplayStoreError("away")

    async def _close(self):
        self.log.append("close")


async def test_the_first_opens_and_the_last_closes():
    resource = Recorder()
    async with resource:
        async with resource:
            pass
        assert resource.log == ["open"]
    assert resource.log == ["open", "close"]
    await resource.aclose()
    assert resource.log == ["open", "close", "close"]


async def test_an_opening_that_fails_does_not_count():
    resource = Recorder(fails=True)
    with pytest.raises(ReplayStoreError):
        await resource.__aenter__()
    resource.fails = False
    async with resource:
        pass
    assert resource.log == ["open", "open", "close"]


async def test_a_resource_without_a_behaviour_of_its_own_can_be_entered():
    async with Resource() as resource:
        assert resource


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickled", "copied", "deep"])
def test_a_resource_is_not_pickled_or_copied(duplicate):
    with pytest.raises(TypeError, match="Resource is not pickled or copied: make another one"):
        duplicate(Resource())


class RecordingStore(MemoryReplayStore):
    def __init__(self, clock, *, fails=False):
        super().__init__(clock=clock)
        self.log: list[str] = []
        self.fails = fails

    async def _open(self):
        self.log.append("open")
        if self.fails:
            raise ReplayStoreError("away")
        await super()._open()

    async def _close(self):
        self.log.append("close")
        await super()._close()


async def test_one_store_serves_several_services(mintkey_clock):
    store = RecordingStore(mintkey_clock)
    keys = MemoryKeyProvider(clock=mintkey_clock)
    async with TokenService(issuer="i", keys=keys, replay=store, clock=mintkey_clock) as first:
        token = await first.mint(LINK)
        async with TokenVerifier(issuer="i", keys=keys, replay=store, clock=mintkey_clock) as second:
            assert await second.peek(token, LINK)
        assert store.log == ["open"]
        assert await first.verify(token, LINK)
    assert store.log == ["open", "close"]
    await first.aclose()
    assert store.log == ["open", "close"]


async def test_a_service_that_nobody_entered_opens_what_it_needs_once(mintkey_clock):
    store = RecordingStore(mintkey_clock)
    tokens = TokenService(issuer="i", keys=MemoryKeyProvider(clock=mintkey_clock), replay=store, clock=mintkey_clock)
    await tokens.mint(Purpose("p", lifetime=timedelta(minutes=1)))
    assert store.log == []
    minted = await asyncio.gather(*(tokens.mint(LINK) for _ in range(20)))
    assert store.log == ["open"]
    assert await tokens.verify(minted[0], LINK)
    await tokens.aclose()
    assert store.log == ["open", "close"]


async def test_a_store_that_cannot_be_opened_leaves_nothing_open(mintkey_clock):
    store = RecordingStore(mintkey_clock, fails=True)
    keys = Recorder()
    tokens = TokenVerifier(issuer="i", keys=keys, replay=store, clock=mintkey_clock)
    with pytest.raises(ReplayStoreError):
        await tokens.__aenter__()
    assert keys.log == ["open", "close"]


class Bare:
    closed = 0

    async def aclose(self):
        self.closed += 1


async def test_what_cannot_be_entered_is_closed_all_the_same():
    openings, bare = Openings(), Bare()
    await asyncio.gather(openings.enter(bare), openings.enter(bare))
    assert bare in openings
    await openings.leave_all()
    await openings.leave_all()
    assert bare.closed == 1


class Upkept(MemoryKeyProvider):
    def __init__(self, clock, outcomes):
        super().__init__(clock=clock)
        self.outcomes = outcomes
        self.worked = asyncio.Event()

    async def maintain(self):
        outcome = self.outcomes.pop(0) if self.outcomes else timedelta(hours=1)
        if not self.outcomes:
            self.worked.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_an_entered_service_works_ahead_of_its_callers_through_trouble(mintkey_clock, caplog, monkeypatch):
    pauses = []

    async def no_wait(seconds):
        pauses.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("mintkey.service.anyio.sleep", no_wait)
    keys = Upkept(mintkey_clock, [timedelta(0), KeyProviderError("away"), timedelta(seconds=3)])
    async with TokenService(issuer="i", keys=keys, clock=mintkey_clock):
        await keys.worked.wait()
        await asyncio.sleep(0)
    assert pauses[:3] == [0.05, 1.0, 3.0]
    assert "keys_unavailable" in caplog.text


async def test_health_says_what_works(mintkey_tokens, mintkey_clock):
    health = await mintkey_tokens.health()
    assert health.ok
    assert (health.checks["keys"].word, health.checks["keys"].figure) == ("active", 2)
    assert health.checks["replay"].word == "ready"
    without = TokenService(issuer="i", keys=MemoryKeyProvider(clock=mintkey_clock), clock=mintkey_clock)
    assert (await without.health()).checks["replay"].word == "none"


class Down:
    max_token_age = None

    async def versions(self):
        raise KeyProviderError("away")

    async def status(self, key, /, *, issued_at):
        raise ReplayStoreError("away")

    async def aclose(self):
        pass


class NoneActive(Down):
    async def versions(self):
        return []


async def test_health_never_raises():
    down = await TokenService(issuer="i", keys=Down(), replay=Down()).health()
    assert not down.ok
    assert {check.word for check in down.checks.values()} == {"keys_unavailable", "replay_unavailable"}
    none = await TokenService(issuer="i", keys=NoneActive()).health()
    assert (none.ok, none.checks["keys"].word) == (False, "none")


class Slow(NoneActive):
    """Answers as soon as everything that is asked of it and of its like is under way."""

    under_way: ClassVar[int] = 0
    all_asked: ClassVar[asyncio.Event]

    async def answer(self):
        Slow.under_way += 1
        if Slow.under_way == 4:
            Slow.all_asked.set()
        await Slow.all_asked.wait()

    async def versions(self):
        await self.answer()
        return []

    async def status(self, key, /, *, issued_at):
        await self.answer()
        return ClaimStatus.UNUSED

    async def checks(self):
        await self.answer()
        return {"more": Check(ok=True, word="told", figure=0)}


async def test_health_asks_everything_at_once_so_that_an_outage_is_waited_for_once():
    Slow.all_asked = asyncio.Event()
    with anyio.fail_after(30):
        health = await TokenService(issuer="i", keys=Slow(), replay=Slow()).health()
    assert list(health.checks) == ["keys", "replay", "keys.more", "replay.more"]


async def test_keys_that_nobody_rotates_need_no_upkeep(mintkey_clock):
    from mintkey.jose.jwk import generate
    from mintkey.keys import StaticKeyProvider

    keys = StaticKeyProvider({"keys": [generate("EdDSA").private_jwk]})
    async with TokenService(issuer="i", keys=keys, clock=mintkey_clock) as tokens:
        purpose = Purpose("p", lifetime=timedelta(minutes=1))
        found = await tokens.verify(await tokens.mint(purpose), purpose)
        assert found.purpose == "p"
    assert tokens._upkeep is None
