"""A sealed ring in a store that others can write to: forged documents are refused, older ones are healed."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mintkey.errors import KeyNotFoundError, KeyProviderError, MintkeyError, Reason
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import StoredRing
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND
from tests.support.tampering import OpenStore

LOOK = timedelta(seconds=6)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def store() -> OpenStore:
    return OpenStore()


@pytest.fixture
def start(store: OpenStore, clock: FakeClock):
    def start(*keys: bytes, policy: RotationPolicy = BY_HAND, sealer: Plaintext | None = None) -> MemoryKeyProvider:
        return MemoryKeyProvider(store=store, clock=clock, policy=policy, sealer=sealer or Sealer(keys or (OLD,)))

    return start


def ring_in(stored: StoredRing) -> Ring:
    return decode(stored.document.partition(b"\n")[2], ring="default")


async def forge(store: OpenStore, change) -> None:
    """Change the document behind its seal, as one without the key would."""
    stored = await store.see()
    line, _, document = stored.document.partition(b"\n")
    members: dict[str, Any] = json.loads(document)
    change(members)
    store.put(replace(stored, document=line + b"\n" + json.dumps(members).encode()))


class TestForging:
    """Whoever can write to the store and does not have the key-encryption key."""

    @pytest.fixture
    async def ring(self, start):
        """A running process, and the kids of a retiring, a revoked and the active version."""
        provider = start()
        retiring = (await provider.acquire()).key.kid
        revoked = (await provider.rotate()).kid
        await provider.revoke(revoked)
        return provider, retiring, revoked, (await provider.acquire()).key.kid

    async def assert_refused(self, ring, store, start, clock) -> None:
        running, retiring, revoked, active = ring
        forged = await store.see()
        for call in (start().resolve(retiring), start().acquire(), start().rotate()):
            with pytest.raises(KeyProviderError, match="does not pass its seal") as caught:
                await call
            assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        clock.advance(LOOK)
        await running.maintain()
        # Who ran before goes on with what it knows, and nobody touches what stands there.
        assert (await running.resolve(active)).kid == active
        with pytest.raises(KeyNotFoundError):
            await running.resolve(revoked)
        assert await store.see() == forged

    async def test_adds_no_version_of_his_own(self, ring, store, start, clock) -> None:
        mine = await SealedCustodian(Plaintext(), ring="default").create("EdDSA")

        def add(members) -> None:
            members["versions"].append(
                members["versions"][0] | {"kid": mine.kid, "public_jwk": mine.public_jwk, "handle": ""}
            )

        await forge(store, add)
        await self.assert_refused(ring, store, start, clock)
        with pytest.raises(MintkeyError):
            await ring[0].resolve(mine.kid)

    async def test_postpones_no_end(self, ring, store, start, clock) -> None:
        await forge(store, lambda members: members["versions"][0].update(verify_until=4e9))
        await self.assert_refused(ring, store, start, clock)

    async def test_takes_no_revocation_back(self, ring, store, start, clock) -> None:
        await forge(store, lambda members: [v.update(revoked_at=None) for v in members["versions"]])
        await self.assert_refused(ring, store, start, clock)

    async def test_presents_no_older_document_as_a_newer_one(self, ring, store, start, clock) -> None:
        older = await store.see()
        await ring[0].rotate()
        clock.advance(LOOK)
        active = (await ring[0].acquire()).key.kid
        store.put(replace(older, revision=(await store.see()).revision + 1))
        await self.assert_refused((*ring[:3], active), store, start, clock)

    async def test_makes_no_known_document_seem_newer(self, ring, store, start, clock) -> None:
        """Not even to a process that knows these very bytes."""
        stored = await store.see()
        store.put(replace(stored, revision=stored.revision + 1))
        clock.advance(LOOK)
        with pytest.raises(KeyProviderError, match="does not pass its seal"):
            await ring[0].rotate()
        await self.assert_refused(ring, store, start, clock)


async def test_a_sealed_ring_and_a_plain_one_are_never_taken_for_each_other(start, store, clock) -> None:
    await start().acquire()
    sealed = await store.see()
    with pytest.raises(KeyProviderError, match="sealer=Sealer"):
        await start(sealer=Plaintext()).acquire()
    assert await store.see() == sealed
    store.forget("default")
    await start(sealer=Plaintext()).acquire()
    plain = await store.see()
    with pytest.raises(KeyProviderError, match="is not sealed"):
        await start().acquire()
    assert await store.see() == plain


async def test_a_lost_ring_is_written_back_under_its_seal(start, store, clock) -> None:
    provider = start()
    await provider.rotate()
    kid = (await provider.rotate()).kid
    store.forget("default")
    clock.advance(LOOK)
    await provider.resolve(kid)
    assert (await store.see()).revision == 1
    assert (await start().acquire()).key.kid == kid


class TestRollingBack:
    """An older document with its older revision is authentic; whoever saw the newer one notices."""

    async def test_revocation_retirement_and_tombstones_survive(self, start, store, clock, caplog) -> None:
        provider = start()
        buried = (await provider.acquire()).key.kid
        alive = await store.see()
        retired = (await provider.rotate()).kid
        revoked = (await provider.rotate()).kid
        active = (await provider.rotate()).kid
        before = await store.see()
        await provider.revoke(revoked, reason="leaked")
        clock.advance(BY_HAND.previous_ttl - timedelta(minutes=1))
        await provider.rotate()
        clock.advance(timedelta(minutes=2))
        assert await provider.prune() == 3
        after = ring_in(await store.see())
        for older in (before, alive):
            store.put(older)
            caplog.clear()
            clock.advance(LOOK)
            with caplog.at_level(logging.WARNING, logger="mintkey.keys"):
                await provider.maintain()
            assert "an older state restored, or tampering?" in caplog.text
            healed = ring_in(await store.see())
            assert healed.versions == after.versions
            assert set(healed.tombstones) == set(after.tombstones)
            fresh = start()
            for kid, reason in (
                (buried, Reason.KEY_RETIRED),
                (retired, Reason.KEY_RETIRED),
                (revoked, Reason.KEY_REVOKED),
            ):
                with pytest.raises(KeyNotFoundError) as caught:
                    await fresh.resolve(kid)
                assert caught.value.reason is reason
            assert (await fresh.resolve(active)).verify_until == (await provider.resolve(active)).verify_until

    async def test_a_retired_version_gets_no_private_half_back(self, start, store, clock) -> None:
        provider = start()
        kid = (await provider.acquire()).key.kid
        older = await store.see()
        await provider.rotate()
        store.put(older)
        clock.advance(LOOK)
        await provider.maintain()
        version = ring_in(await store.see()).find(kid)
        assert version is not None
        assert version.material.handle == ""
        assert version.verify_until is not None

    async def test_what_others_wrote_upon_the_older_one_joins(self, start, store, clock) -> None:
        """Two authentic documents of the same revision: neither loses a version."""
        provider = start()
        await provider.acquire()
        older = await store.see()
        here = (await provider.rotate()).kid
        store.put(older)
        there = await start().rotate()
        await provider.versions()
        clock.advance(LOOK)
        assert (await provider.acquire()).key.kid == here == there.kid
        assert len(await provider.versions()) == 4  # the one before, the one that signs, and two successors


class TestReplacingTheKey:
    """Of a fleet: first behind the old one everywhere, then in front of it everywhere, then sealed anew."""

    async def test_each_step_may_take_its_time(self, start, store, clock) -> None:
        async def works(*fleet: MemoryKeyProvider) -> None:
            for writer in fleet:
                kid = (await writer.rotate()).kid
                clock.advance(LOOK)
                for reader in fleet:
                    assert (await reader.acquire()).key.kid == kid

        await works(start(OLD), start(OLD, NEW))
        await works(start(OLD, NEW), start(NEW, OLD))
        assert await start(NEW, OLD).rewrap() == 1  # the one that signs was sealed by the process with the old key
        await works(start(NEW, OLD), start(NEW))

    async def test_in_one_step_the_others_are_told_what_is_missing(self, start, store, clock) -> None:
        behind = start(OLD)
        kid = (await behind.acquire()).key.kid
        await start(NEW, OLD).rotate()
        clock.advance(LOOK)
        assert (await behind.resolve(kid)).kid == kid
        with pytest.raises(KeyProviderError, match="List the key that is missing"):
            await behind.rotate()
