"""How a ring is doing, in words and figures."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from mintkey.health import Check
from mintkey.keys.condition import age_check, clock_check, rotation_check, successor_check
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import StoredRing
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, FaultyRingStore, Start

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def words(provider: RotatingKeyProvider) -> dict[str, str]:
    return {name: check.word for name, check in (await provider.checks()).items()}


async def check(provider: RotatingKeyProvider, name: str) -> Check:
    return (await provider.checks())[name]


async def test_all_is_well(store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
    provider = start(store, HOURLY)
    await provider.acquire()
    checks = await provider.checks()
    assert all(each.ok for each in checks.values())
    assert await words(provider) == {
        "store": "reachable",
        "ring": "fresh",
        "rotation": "on_time",
        "successor": "published",
        "clock": "unknown",
    }
    clock.advance(timedelta(minutes=10))
    assert await check(provider, "successor") == Check(ok=True, word="ready", figure=600)


async def test_looking_begins_no_ring(store: FaultyRingStore, start: Start) -> None:
    provider = start(store)
    assert await check(provider, "successor") == Check(ok=False, word="missing", figure=0)
    assert await store.shared.load("default") is None


async def test_a_process_that_never_saw_the_ring_knows_nothing(store: FaultyRingStore, start: Start) -> None:
    store.fail()
    provider = start(store)
    assert await words(provider) == {
        "store": "keys_unavailable",
        "ring": "none",
        "rotation": "on_time",
        "successor": "missing",
        "clock": "unknown",
    }


async def test_a_store_that_is_away_makes_the_ring_stale(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    provider = start(store)
    await provider.acquire()
    store.fail()
    clock.advance(5 * SECOND)
    assert (await check(provider, "ring")).ok
    clock.advance(MINUTE)
    assert await check(provider, "ring") == Check(ok=False, word="stale", figure=65)
    clock.advance(10 * MINUTE)
    assert await check(provider, "ring") == Check(ok=False, word="expired", figure=665)
    assert await check(provider, "store") == Check(ok=False, word="keys_unavailable", figure=0)


async def test_a_store_that_hangs_is_silent(
    store: FaultyRingStore, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mintkey.keys.probing._PATIENCE", 0.05)
    provider = start(store)
    await provider.acquire()
    store.hang("load")
    assert await check(provider, "store") == Check(ok=False, word="silent", figure=50)
    store.release()
    with anyio.fail_after(5):
        while (await check(provider, "store")).word != "reachable":
            await anyio.lowlevel.checkpoint()


async def test_a_rotation_that_cannot_be_done_is_overdue(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """The active version stays active, and that is told; a store that is back gets it at once."""
    provider = start(store, HOURLY)
    first = (await provider.acquire()).key.kid
    clock.advance(timedelta(minutes=59))
    await provider.versions()
    store.fail()
    clock.advance(3 * MINUTE)
    await provider.maintain()
    assert (await provider.acquire()).key.kid == first
    assert await check(provider, "rotation") == Check(ok=False, word="overdue", figure=120)
    store.heal()
    clock.advance(SECOND)
    assert await check(provider, "rotation") == Check(ok=True, word="on_time", figure=0)
    assert (await provider.acquire()).key.kid != first


class WithClock(FaultyRingStore):
    """A store with a clock of its own, and something to say of itself."""

    ahead = 0.0

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def load(self, ring: str, /) -> StoredRing | None:
        stored = await super().load(ring)
        if stored is None:
            return None
        return StoredRing(stored.document, stored.revision, stored.mints, time=self._clock.time() + self.ahead)

    async def checks(self) -> dict[str, Check]:
        return {"eviction": Check(ok=False, word="allkeys-lru", figure=0.5)}


async def test_a_clock_that_is_off_is_told_once(
    start: Start, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is corrected: the machine's clock dates tokens as well."""
    store = WithClock(clock)
    provider = start(store)
    await provider.acquire()
    assert await check(provider, "clock") == Check(ok=True, word="in_step", figure=0)
    store.ahead = -5.0
    assert await check(provider, "clock") == Check(ok=True, word="in_step", figure=5.0)
    for store.ahead, off in [(-5.5, 5.5), (-6.0, 6.0), (7.0, -7.0)]:
        assert await check(provider, "clock") == Check(ok=False, word="off", figure=off)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "5.5 s ahead of that of the store of ring 'default', more than max_clock_skew (5 s)" in caplog.text
    store.ahead = 0.0
    await provider.checks()
    store.ahead = 60.0
    await provider.checks()
    assert "60.0 s behind that of the store" in caplog.text


async def test_a_store_speaks_for_itself_while_it_answers(start: Start, clock: FakeClock) -> None:
    store = WithClock(clock)
    provider = start(store)
    assert (await check(provider, "eviction")).word == "allkeys-lru"
    store.fail("load")
    assert "eviction" not in await provider.checks()


@pytest.mark.parametrize("policy", [BY_HAND, HOURLY])
def test_nothing_is_overdue_where_nothing_is_known(policy: RotationPolicy) -> None:
    nothing: Any = None
    assert rotation_check(nothing, 0.0, policy, tolerated=SECOND).ok
    assert not successor_check(nothing, 0.0, policy).ok
    assert not age_check(nothing, 0.0, fresh=SECOND, tolerated=SECOND).ok
    assert clock_check(None, is_off=False).word == "unknown"
