"""The rotating provider from the outside: settings, algorithms, lifecycle, upkeep."""

from datetime import timedelta

import anyio
import pytest

from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, Reason
from mintkey.keys.base import Algorithm, KeyState, Maintained
from mintkey.keys.document import decode
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, TTL, FaultyCustodian, FaultyRingStore, Start

SECOND = timedelta(seconds=1)


class TestSettings:
    def test_are_checked_together(self, store: FaultyRingStore, custodian: FaultyCustodian) -> None:
        with pytest.raises(ConfigurationError, match="publish_ahead") as raised:
            RotatingKeyProvider(
                store,
                custodian=custodian,
                ring="no/path",
                policy=RotationPolicy(publish_ahead=SECOND),
            )
        assert "ring must be" in str(raised.value)

    async def test_building_one_does_no_io(self, store: FaultyRingStore, start: Start) -> None:
        start(store)
        assert not store.calls

    async def test_the_machine_gives_the_time_by_default(
        self, store: FaultyRingStore, custodian: FaultyCustodian
    ) -> None:
        async with RotatingKeyProvider(store, custodian=custodian) as provider:
            assert (await provider.acquire()).count == 1


class TestAlgorithms:
    @pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "HS256"])
    async def test_what_is_signed_verifies_through_the_life_of_a_version(
        self, store: FaultyRingStore, start: Start, algorithm: Algorithm
    ) -> None:
        """A secret keeps its handle for that, a private half does not."""
        provider = start(store, algorithm=algorithm)
        grant = await provider.acquire()
        signature = await grant.key.sign(b"input")
        await provider.rotate()
        for process in (provider, start(store, algorithm=algorithm)):
            key = await process.resolve(grant.key.kid)
            assert (key.kid, key.algorithm) == (grant.key.kid, algorithm)
            assert key.verify_until is not None
            assert key.verify(b"input", signature)
            assert not key.verify(b"other", signature)
        stored = await store.load("default")
        assert stored is not None
        retiring = decode(stored.document, ring="default").find(grant.key.kid)
        assert retiring is not None
        assert bool(retiring.material.handle) == (algorithm == "HS256")

    async def test_a_secret_is_not_published(self, store: FaultyRingStore, start: Start) -> None:
        assert (await start(store, algorithm="HS256").jwks()).as_dict() == {"keys": []}

    @pytest.mark.parametrize(("first", "then"), [("HS256", "EdDSA"), ("EdDSA", "HS256")])
    async def test_secrets_and_public_keys_are_never_mixed(
        self, store: FaultyRingStore, start: Start, first: Algorithm, then: Algorithm
    ) -> None:
        kid = (await start(store, algorithm=first).acquire()).key.kid
        other = start(store, algorithm=then)
        for call in (other.acquire, other.rotate, other.versions, lambda: other.resolve(kid)):
            with pytest.raises(ConfigurationError, match="never mixed"):
                await call()

    async def test_another_algorithm_of_the_same_kind_comes_with_the_next_successor(
        self, store: FaultyRingStore, start: Start
    ) -> None:
        await start(store).acquire()
        provider = start(store, algorithm="ES256")
        assert [(await provider.rotate()).algorithm for _ in range(2)] == ["EdDSA", "ES256"]


class TestVersions:
    async def test_a_caller_cannot_change_the_ring(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        for shown in await provider.versions():
            assert isinstance(shown.public_jwk, dict)
            shown.public_jwk.clear()
        assert all(key for key in (await provider.jwks()).as_dict()["keys"])

    async def test_looking_up_a_key_begins_no_ring(self, store: FaultyRingStore, start: Start) -> None:
        """A service that only verifies needs no right to write."""
        with pytest.raises(KeyNotFoundError):
            await start(store).resolve("unknown")
        assert store.calls["compare_and_swap"] == 0

    async def test_looking_at_the_ring_changes_nothing_that_is_not_due(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        await provider.acquire()
        for _ in range(100):
            clock.advance(timedelta(seconds=30))
            await provider.acquire()
            await provider.versions()
            await provider.jwks()
        assert store.calls["compare_and_swap"] == 1


class TestRevoking:
    async def test_remembers_why(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        kid = (await provider.acquire()).key.kid
        await provider.revoke(kid, reason="laptop stolen")
        stored = await store.load("default")
        assert stored is not None
        assert b"laptop stolen" in stored.document

    @pytest.mark.parametrize("reason", ["x" * 501, "\ud800"])
    async def test_takes_a_reason_that_can_be_written_down(
        self, store: FaultyRingStore, start: Start, reason: str
    ) -> None:
        provider = start(store)
        kid = (await provider.acquire()).key.kid
        with pytest.raises(ConfigurationError, match="reason"):
            await provider.revoke(kid, reason=reason)
        assert (await provider.resolve(kid)).kid == kid

    async def test_what_is_gone_cannot_be_revoked(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        """But what was revoked before it went is revoked enough."""
        provider = start(store)
        retired = (await provider.acquire()).key.kid
        revoked = (await provider.rotate()).kid
        await provider.revoke(revoked)
        clock.advance(TTL)
        await provider.prune()
        with pytest.raises(KeyNotFoundError) as raised:
            await provider.revoke(retired)
        assert raised.value.reason is Reason.KEY_RETIRED
        await provider.revoke(revoked)


class TestUpkeep:
    async def test_rotates_and_prunes_ahead_of_callers(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store, HOURLY)
        assert isinstance(provider, Maintained)
        await provider.maintain()
        first = (await provider.acquire()).key.kid
        clock.advance(HOURLY.every or SECOND)
        await provider.maintain()
        store.calls.clear()
        assert (await provider.acquire()).key.kid != first
        assert store.calls["compare_and_swap"] == 0
        clock.advance(TTL)
        await provider.maintain()
        assert first not in {version.kid for version in await provider.versions()}

    async def test_keeps_callers_from_looking_themselves(
        self, store: FaultyRingStore, start: Start, clock: FakeClock
    ) -> None:
        provider = start(store)
        kid = (await provider.acquire()).key.kid
        for _ in range(10):
            clock.advance(await provider.maintain())
            store.calls.clear()
            await provider.resolve(kid)
            assert not store.calls

    async def test_opens_the_next_key_before_it_is_needed(
        self, store: FaultyRingStore, custodian: FaultyCustodian, start: Start
    ) -> None:
        """Unsealing an RSA key, or reaching a KMS, takes time that no caller should spend at a rotation."""
        provider = start(store, custodian=custodian)
        await provider.maintain()
        assert custodian.calls["open"] == 2
        await provider.rotate()
        await provider.acquire()
        assert custodian.calls["open"] == 2

    async def test_is_back_when_something_is_due(self, store: FaultyRingStore, start: Start, clock: FakeClock) -> None:
        provider = start(store, HOURLY)
        assert await provider.maintain() == 2 * SECOND
        clock.advance(timedelta(hours=1) - SECOND)
        assert await provider.maintain() == SECOND

    async def test_never_raises(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        store.fail()
        assert await provider.maintain() == SECOND


class TestLifecycle:
    async def test_the_store_is_opened_and_closed_with_the_provider(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        async with provider, provider:
            assert store.is_open
            await provider.acquire()
        assert not store.is_open

    async def test_a_store_that_others_opened_stays_open(self, store: FaultyRingStore, start: Start) -> None:
        """A provider that nobody entered took no opening, so it gives none back."""
        provider = start(store)
        async with store:
            await provider.acquire()
            await provider.aclose()
            assert store.is_open
        assert not store.is_open

    async def test_a_store_without_a_lifecycle_is_left_alone(self, store: FaultyRingStore) -> None:
        provider = RotatingKeyProvider(store.shared, custodian=FaultyCustodian(), policy=BY_HAND)
        async with provider:
            await provider.acquire()

    async def test_a_closed_provider_can_be_used_again(self, store: FaultyRingStore, start: Start) -> None:
        """It begins like a new one, and finds its ring."""
        provider = start(store)
        kid = (await provider.acquire()).key.kid
        await provider.aclose()
        assert (await provider.acquire()).key.kid == kid

    async def test_closing_tells_those_who_wait(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store)
        store.hang("load")

        async def mint() -> None:
            with pytest.raises(KeyProviderError, match="closed"):
                await provider.acquire()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mint)
            await anyio.wait_all_tasks_blocked()
            await provider.aclose()

    async def test_nothing_shows_a_key(self, store: FaultyRingStore, start: Start) -> None:
        provider = start(store, algorithm="HS256")
        await provider.acquire()
        stored = await store.load("default")
        assert stored is not None
        handles = [version.material.handle for version in decode(stored.document, ring="default").versions]
        shown = repr(provider) + repr(vars(provider)) + repr(provider._keeper.snapshot) + repr(vars(provider._keychain))
        assert not any(handle in shown for handle in handles)


async def test_versions_of_a_store_that_hangs_are_shown_as_they_were_seen_last(
    store: FaultyRingStore, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mintkey.keys.engine._LONG_PATIENCE", 0.05)
    provider = start(store)
    seen = await provider.versions()
    store.hang("load")
    with anyio.fail_after(5):
        assert await provider.versions() == seen
    store.release()


async def test_a_state_is_that_of_the_moment_of_the_look(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    provider = start(store)
    await provider.acquire()
    await provider.rotate()
    clock.advance(TTL)
    assert [v.state for v in await provider.versions()] == [KeyState.PENDING, KeyState.ACTIVE, KeyState.RETIRED]
