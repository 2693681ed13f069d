"""What becomes of keys is told: once in every process, whoever did it."""

import gc
from dataclasses import replace
from datetime import timedelta

import pytest

from mintkey import Purpose, TokenService, TokenVerifier
from mintkey.events import Announcing, Event, KeyEvent, KeyRevoked, Rotated
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.news import news_between
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion, Tombstone
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import HOURLY, FaultyRingStore, Start

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
LATER = timedelta(seconds=6)


class Owner:
    """Who has hooks."""


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def kids(provider: RotatingKeyProvider) -> list[str]:
    """Newest first: the one that stands ready, the one that signs, those before it."""
    return [version.kid for version in await provider.versions()]


def version(
    kid: str, *, activates_at: float | None = None, retires_at: float | None = None, revoked_at: float | None = None
) -> RingVersion:
    return RingVersion(
        material=KeyMaterial(kid=kid, algorithm="EdDSA", public_jwk=None, handle=""),
        created_at=0,
        activates_at=activates_at,
        retires_at=retires_at,
        revoked_at=revoked_at,
    )


class TestBetweenTwoStates:
    def test_a_first_version_is_no_news(self) -> None:
        assert news_between(Ring(), Ring((version("a", activates_at=0),)), ring="r", is_own=True) == []

    def test_another_signer_is_a_rotation(self) -> None:
        before = Ring((version("a", activates_at=0), version("b")))
        after = Ring((version("a", activates_at=0, retires_at=9), version("b", activates_at=9)))
        news = news_between(before, after, ring="r", is_own=False)
        assert news == [Rotated(ring="r", key_id="b", previous_key_id="a", is_own=False)]

    def test_a_ring_that_lost_its_signer_has_not_rotated(self) -> None:
        before = Ring((version("a", activates_at=0),))
        assert news_between(before, Ring(), ring="r", is_own=False) == []

    def test_a_revoked_signer_is_both_the_revocation_first(self) -> None:
        before = Ring((version("a", activates_at=0), version("b")))
        after = Ring((version("a", activates_at=0, retires_at=9, revoked_at=9), version("b", activates_at=9)))
        assert news_between(before, after, ring="r", is_own=True) == [
            KeyRevoked(ring="r", key_id="a", is_own=True),
            Rotated(ring="r", key_id="b", previous_key_id="a", is_own=True),
        ]

    def test_a_revocation_that_is_history_already_is_told_and_then_not_again(self) -> None:
        before = Ring((version("a"),))
        gone = Ring((), (Tombstone("a", revoked=True), Tombstone("b", revoked=False)))
        assert news_between(before, gone, ring="r", is_own=False) == [KeyRevoked(ring="r", key_id="a", is_own=False)]
        assert news_between(Ring((version("a", revoked_at=9),)), gone, ring="r", is_own=False) == []


class TestAProvider:
    async def test_tells_what_it_did_and_what_it_sees(
        self, store: FaultyRingStore, start: Start, clock: FakeClock, owner: Owner
    ) -> None:
        one, two = start(store), start(store)
        assert isinstance(one, Announcing)
        here: list[Event] = []
        there: list[Event] = []
        one.announce_to([here.append], of=owner)
        two.announce_to([there.append], of=owner)
        second, first = await kids(one)
        await kids(two)
        assert here == there == []
        await one.rotate()
        await one.revoke(first)
        expected = [
            Rotated(ring="default", key_id=second, previous_key_id=first, is_own=True),
            KeyRevoked(ring="default", key_id=first, is_own=True),
        ]
        assert here == expected
        assert there == []
        await kids(two)
        assert set(there) == {replace(event, is_own=False) for event in expected}
        clock.advance(LATER)
        await kids(one)
        await kids(two)
        assert (len(here), len(there)) == (2, 2)

    async def test_tells_of_a_rotation_by_time(
        self, store: FaultyRingStore, start: Start, clock: FakeClock, owner: Owner, told: list[Event]
    ) -> None:
        provider = start(store, HOURLY)
        provider.announce_to([told.append], of=owner)
        second, first = await kids(provider)
        clock.advance(timedelta(hours=1))
        await provider.acquire()
        assert told == [Rotated(ring="default", key_id=second, previous_key_id=first, is_own=True)]

    async def test_that_opens_again_tells_no_old_news(
        self, store: FaultyRingStore, start: Start, owner: Owner, told: list[Event]
    ) -> None:
        one, two = start(store), start(store)
        two.announce_to([told.append], of=owner)
        await kids(two)
        await two.aclose()
        await one.rotate()
        await kids(two)
        assert told == []

    async def test_tells_a_hook_of_two_owners_once_and_forgets_owners_that_are_gone(
        self, store: FaultyRingStore, start: Start, owner: Owner, told: list[Event]
    ) -> None:
        provider, other = start(store), Owner()
        heard_by_both = told.append
        alone: list[Event] = []
        provider.announce_to([heard_by_both], of=owner)
        provider.announce_to([heard_by_both, alone.append], of=other)
        await kids(provider)
        await provider.rotate()
        assert (len(told), len(alone)) == (1, 1)
        del other
        gc.collect()
        await provider.rotate()
        assert (len(told), len(alone)) == (2, 1)

    async def test_does_not_mind_a_hook_that_raises(
        self, store: FaultyRingStore, start: Start, owner: Owner, told: list[Event]
    ) -> None:
        def broken(event: Event) -> None:
            raise RuntimeError

        provider = start(store)
        provider.announce_to([broken, told.append], of=owner)
        await kids(provider)
        await provider.rotate()
        assert len(told) == 1


class TestAService:
    async def test_passes_its_hooks_on(self, clock: FakeClock, told: list[Event]) -> None:
        keys = MemoryKeyProvider(clock=clock)
        tokens = TokenService(issuer="i", keys=keys, clock=clock, hooks=[told.append])
        token = await tokens.mint(ACCESS)
        await keys.revoke(token.key_id)
        revoked, rotated = (event for event in told if isinstance(event, KeyEvent))
        assert revoked == KeyRevoked(ring="default", key_id=token.key_id, is_own=True)
        assert isinstance(rotated, Rotated)
        assert rotated.purpose == ""

    async def test_that_only_verifies_is_told_too(self, clock: FakeClock, told: list[Event]) -> None:
        store = MemoryKeyRingStore()
        one, two = MemoryKeyProvider(clock=clock, store=store), MemoryKeyProvider(clock=clock, store=store)
        verifier = TokenVerifier(issuer="i", keys=two, clock=clock, hooks=[told.append])
        token = await TokenService(issuer="i", keys=one, clock=clock).mint(ACCESS)
        await verifier.verify(token, ACCESS)
        await one.rotate()
        await two.versions()
        assert [type(event).__name__ for event in told] == ["Verified", "Rotated"]
