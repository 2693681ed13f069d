"""Copying a ring to another store: both sides know everything, and the cap holds for both together."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import anyio
import pytest

from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, KeyRevokedError, Reason
from mintkey.keys.base import Algorithm, KeyState
from mintkey.keys.copying import Copied, copy_ring
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore, StoredRing
from mintkey.keys.ring import Ring
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import BY_HAND, HOURLY, TTL, FaultyCustodian
from tests.support.tampering import OpenStore

LOOK = timedelta(seconds=6)
ONE, TWO = Sealer([bytes(range(32))]), Sealer([bytes(range(32, 64))])
CAP = 40
CAPPED = RotationPolicy(every=None, max_mints=CAP, previous_ttl=TTL, publish_ahead=timedelta(0))


class Side:
    """A store and the processes on it."""

    def __init__(self, clock: FakeClock, policy: RotationPolicy, sealer: Sealer | Plaintext, ring: str) -> None:
        self.store = OpenStore()
        self.ring = ring
        self._start = partial(MemoryKeyProvider, store=self.store, clock=clock, policy=policy, sealer=sealer, ring=ring)

    def process(self, algorithm: Algorithm = "EdDSA") -> MemoryKeyProvider:
        return self._start(algorithm=algorithm)

    async def known(self) -> Ring:
        stored = await self.store.see(self.ring)
        return decode(stored.document[stored.document.index(b"{") :], ring=self.ring)


def sides(clock: FakeClock, policy: RotationPolicy = BY_HAND) -> tuple[Side, Side]:
    """An old one and a new one that differ in everything that may differ."""
    return Side(clock, policy, ONE, "old-ring"), Side(clock, policy, TWO, "new-ring")


async def copy(source: Side, target: Side, max_mints: int | None = None) -> Copied:
    return await copy_ring(source.process(), target.process(), max_mints=max_mints)


def without_handles(ring: Ring) -> Ring:
    return replace(ring, versions=tuple(replace(v, material=replace(v.material, handle="")) for v in ring.versions))


async def used_up(*providers: RotatingKeyProvider, kid: str) -> int:
    """How many mints of this version all of them get together."""
    got = 0
    for provider in providers:
        while True:
            try:
                got += (await provider.acquire(kid=kid)).count
            except (KeyProviderError, ConfigurationError):
                break
    return got


async def test_the_target_knows_everything_afterwards(clock: FakeClock) -> None:
    old, new = sides(clock)
    provider = old.process()
    buried = (await provider.acquire()).key.kid
    await provider.rotate()
    clock.advance(TTL)
    await provider.prune()
    retiring = (await provider.acquire()).key.kid
    revoked = (await provider.rotate()).kid
    await provider.revoke(revoked, reason="leaked")
    active = (await provider.acquire()).key.kid
    copied = await copy(old, new)
    assert copied == Copied(versions=4, added=4, revision=2)
    assert without_handles(await new.known()) == without_handles(await old.known())
    there = new.process()
    grant = await there.acquire()
    assert grant.key.kid == active
    signature = await grant.key.sign(b"input")
    assert (await old.process().resolve(active)).verify(b"input", signature)
    assert (await there.resolve(retiring)).kid == retiring
    with pytest.raises(KeyRevokedError):
        await there.resolve(revoked)
    with pytest.raises(KeyNotFoundError) as caught:
        await there.resolve(buried)
    assert caught.value.reason is Reason.KEY_RETIRED


async def test_private_halves_are_sealed_for_the_target_and_the_source_keeps_its_own(clock: FakeClock) -> None:
    old, new = sides(clock)
    await old.process().acquire()
    before = await old.store.see(old.ring)
    await copy(old, new)
    assert await old.store.see(old.ring) == before
    for sealer, side in ((ONE, old), (TWO, new)):
        for version in (await side.known()).versions:
            await SealedCustodian(sealer, ring=side.ring).open(version.material)


@pytest.mark.parametrize(("here", "there"), [(Plaintext(), ONE), (ONE, Plaintext())])
async def test_a_plain_ring_becomes_a_sealed_one_and_back(clock: FakeClock, here, there) -> None:
    old, new = Side(clock, BY_HAND, here, "plain"), Side(clock, BY_HAND, there, "sealed")
    kid = (await old.process().acquire()).key.kid
    await copy(old, new)
    assert (await new.process().acquire()).key.kid == kid


async def test_a_second_copy_changes_nothing(clock: FakeClock) -> None:
    old, new = sides(clock)
    await old.process().acquire()
    await copy(old, new)
    stored = await new.store.see(new.ring)
    assert await copy(old, new) == Copied(versions=2, added=0, revision=stored.revision)
    assert await copy(new, old) == Copied(versions=2, added=0, revision=1)
    assert await new.store.see(new.ring) == stored


async def test_one_rotation_on_each_side_is_the_same_rotation(clock: FakeClock) -> None:
    old, new = sides(clock)
    here, there = old.process(), new.process()
    await here.acquire()
    await copy(old, new)
    first = (await here.rotate()).kid
    assert (await there.resolve(first)).kid == first
    assert (await there.rotate()).kid == first
    assert (await copy(old, new)).added == (await copy(new, old)).added == 1  # the successors that both made since
    assert {v.kid for v in (await old.known()).versions} == {v.kid for v in (await new.known()).versions}
    second = (await here.rotate()).kid
    assert (await there.resolve(second)).kid == second


async def test_what_the_source_retired_verifies_long_enough_where_it_still_signed(clock: FakeClock) -> None:
    old, new = sides(clock)
    here, there = old.process(), new.process()
    kid = (await here.acquire()).key.kid
    await copy(old, new)
    await here.rotate()
    clock.advance(TTL / 2)
    assert (await there.acquire()).key.kid == kid
    await copy(old, new)
    clock.advance(TTL - timedelta(seconds=1))
    assert (await there.resolve(kid)).kid == kid  # what it signed until the copy is good to its end
    assert (await there.acquire()).key.kid != kid
    clock.advance(timedelta(seconds=1))
    with pytest.raises(KeyNotFoundError):
        await there.resolve(kid)


async def test_a_revocation_on_one_side_reaches_the_other_with_the_next_copy(clock: FakeClock) -> None:
    old, new = sides(clock)
    here, there = old.process(), new.process()
    kid = (await here.acquire()).key.kid
    await copy(old, new)
    await there.revoke(kid)
    await copy(new, old)
    clock.advance(LOOK)
    with pytest.raises(KeyRevokedError):
        await here.resolve(kid)
    assert (await here.acquire()).key.kid == (await there.acquire()).key.kid != kid


async def test_a_ring_that_the_target_began_on_its_own_goes_on_signing_on_both(clock: FakeClock) -> None:
    old, new = sides(clock)
    here, there = old.process(), new.process()
    ours, theirs = (await here.acquire()).key.kid, (await there.acquire()).key.kid
    assert await copy(old, new) == Copied(versions=4, added=2, revision=2)
    await copy(new, old)
    clock.advance(LOOK)
    for provider in (here, there):
        assert (await provider.acquire()).key.kid == theirs
        for kid in (ours, theirs):
            assert (await provider.resolve(kid)).kid == kid


class TestCap:
    async def test_both_sides_together_never_exceed_it(self, clock: FakeClock) -> None:
        old, new = sides(clock, CAPPED)
        here, there = old.process(), new.process()
        active = (await here.acquire()).key.kid
        pending = next(v.kid for v in await here.versions() if v.state is KeyState.PENDING)
        counted = (await old.store.see(old.ring)).mints[active]
        await copy(old, new, CAP)
        assert (await new.store.see(new.ring)).mints == {
            active: CAP - (CAP - counted) // 2,
            pending: CAP // 2,
        }
        await here.rotate()
        assert await used_up(here, there, kid=pending) == CAP

    async def test_what_was_divided_is_not_divided_again(self, clock: FakeClock) -> None:
        old, new = sides(clock, CAPPED)
        await old.process().acquire()
        await copy(old, new, CAP)
        mints = (await old.store.see(old.ring)).mints, (await new.store.see(new.ring)).mints
        for _ in range(2):
            await copy(old, new, CAP)
            await copy(new, old, CAP)
        assert mints == ((await old.store.see(old.ring)).mints, (await new.store.see(new.ring)).mints)

    async def test_of_one_mint_the_source_keeps_it(self, clock: FakeClock) -> None:
        old, new = sides(clock, replace(CAPPED, max_mints=1))
        here = old.process()
        await here.versions()
        await copy(old, new, 1)
        await copy(new, old, 1)
        await copy(old, new, 1)
        kids = [version.kid for version in await here.versions()]
        assert [await used_up(new.process(), kid=kid) for kid in kids] == [0, 0]
        assert [await used_up(here, kid=kid) for kid in kids] == [1, 1]

    async def test_minting_through_the_copy_stays_below(self, clock: FakeClock) -> None:
        old, new = sides(clock, CAPPED)
        here, there = old.process(), new.process()
        granted = Counter([(await here.acquire()).key.kid])
        for step in range(60):
            if step % 20 == 10:
                await copy(old, new, CAP)
                clock.advance(LOOK)
            for provider in (here, there) if step > 10 else (here,):
                grant = await provider.acquire(3)
                granted[grant.key.kid] += grant.count
        assert max(granted.values()) <= CAP

    async def test_two_copies_at_once_waste_and_do_not_exceed(self, clock: FakeClock) -> None:
        old, new = sides(clock, CAPPED)
        await old.process().versions()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(copy, old, new, CAP)
        for version in (await old.known()).versions:
            left = sum([CAP - (await side.store.see(side.ring)).mints.get(version.kid, 0) for side in (old, new)])
            assert 0 < left <= CAP

    async def test_counts_of_what_only_verifies_are_shown(self, clock: FakeClock) -> None:
        old, new = sides(clock, CAPPED)
        here = old.process()
        kid = (await here.acquire()).key.kid
        await here.rotate()
        await copy(old, new, CAP)
        assert (await new.store.see(new.ring)).mints[kid] == (await old.store.see(old.ring)).mints[kid] > 0

    async def test_without_one_counts_are_copied_once(self, clock: FakeClock) -> None:
        old, new = sides(clock)
        here = old.process()
        for _ in range(5):
            await here.acquire()
        await copy(old, new)
        mints = (await old.store.see(old.ring)).mints
        assert (await new.store.see(new.ring)).mints == mints
        await copy(old, new)
        assert (await new.store.see(new.ring)).mints == mints == (await old.store.see(old.ring)).mints


class DyingStore(MemoryKeyRingStore):
    """Everything stops after so many calls of a store, before or after they were executed."""

    calls_left = -1
    late = False

    async def _asked(self) -> None:
        self.calls_left -= 1
        if self.calls_left == -1:
            raise KeyProviderError("dead")

    async def load(self, ring: str, /) -> StoredRing | None:
        await self._asked()
        return await super().load(ring)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        if self.late:
            answer = await super().compare_and_swap(ring, expected=expected, document=document)
            await self._asked()
            return answer
        await self._asked()
        return await super().compare_and_swap(ring, expected=expected, document=document)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        if self.late:
            answer = await super().reserve(ring, kid, want=want, limit=limit)
            await self._asked()
            return answer
        await self._asked()
        return await super().reserve(ring, kid, want=want, limit=limit)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("on_target", [False, True], ids=["source", "target"])
async def test_wherever_it_is_interrupted_it_may_be_run_again(clock: FakeClock, on_target: bool, late: bool) -> None:
    interrupted = 0
    for calls in range(12):
        source, target = DyingStore(), DyingStore()

        def process(store: KeyRingStore) -> MemoryKeyProvider:
            assert isinstance(store, MemoryKeyRingStore)
            return MemoryKeyProvider(store=store, clock=clock, policy=CAPPED)

        here = process(source)
        spent = Counter([(await here.acquire()).key.kid])
        dying = target if on_target else source
        dying.late, dying.calls_left = late, calls
        try:
            await copy_ring(process(source), process(target), max_mints=CAP)
        except KeyProviderError:
            interrupted += 1
        dying.calls_left = -1
        assert (await copy_ring(process(source), process(target), max_mints=CAP)).versions == 2
        for version in await here.versions():
            spent[version.kid] += await used_up(here, process(target), kid=version.kid)
        assert all(CAP // 2 <= count <= CAP for count in spent.values()), spent
    assert interrupted >= 3


class TestRefusals:
    async def test_a_source_without_a_ring(self, clock: FakeClock) -> None:
        old, new = sides(clock)
        with pytest.raises(ConfigurationError, match="the source has no ring 'old-ring'"):
            await copy(old, new)
        assert await old.store.load(old.ring) is await new.store.load(new.ring) is None

    async def test_a_cap_below_one(self, clock: FakeClock) -> None:
        with pytest.raises(ConfigurationError, match="max_mints"):
            await copy(*sides(clock), 0)

    @pytest.mark.parametrize("begun", [True, False])
    async def test_secrets_and_public_keys_are_not_mixed(self, clock: FakeClock, begun: bool) -> None:
        old, new = sides(clock)
        await old.process().acquire()
        if begun:
            await new.process("HS256").acquire()
        with pytest.raises(ConfigurationError, match="never mixed"):
            await copy_ring(old.process(), new.process("HS256"), max_mints=None)

    async def test_a_target_of_secrets_for_public_keys(self, clock: FakeClock) -> None:
        old, new = sides(clock)
        await old.process().acquire()
        await new.process("HS256").acquire()
        with pytest.raises(ConfigurationError, match="never mixed"):
            await copy(old, new)

    async def test_another_custody(self, clock: FakeClock) -> None:
        old, new = sides(clock)
        elsewhere = MemoryKeyProvider(custodian=FaultyCustodian(), clock=clock, policy=BY_HAND)
        await elsewhere.acquire()
        await old.process().acquire()
        for source, target in ((old.process(), elsewhere), (elsewhere, new.process())):
            with pytest.raises(ConfigurationError, match="in different ways"):
                await copy_ring(source, target, max_mints=None)
        assert await new.store.load(new.ring) is None

    async def test_a_key_that_does_not_open(self, clock: FakeClock) -> None:
        old, new = sides(clock)
        await old.process().acquire()
        source = MemoryKeyProvider(store=old.store, ring=old.ring, clock=clock, policy=BY_HAND, sealer=TWO)
        with pytest.raises(KeyProviderError, match="does not pass its seal"):
            await copy_ring(source, new.process(), max_mints=None)
        assert await new.store.load(new.ring) is None


async def test_names_of_keys_that_are_kept_elsewhere_are_copied_as_they_are(clock: FakeClock) -> None:
    old, new = OpenStore(), OpenStore()
    source, target = (
        MemoryKeyProvider(store=store, custodian=FaultyCustodian(), clock=clock, policy=BY_HAND) for store in (old, new)
    )
    kid = (await source.acquire()).key.kid
    await copy_ring(source, target, max_mints=None)
    assert (await target.acquire()).key.kid == kid
    assert (await new.see()).document == (await old.see()).document


async def test_secrets_move_too(clock: FakeClock) -> None:
    old, new = sides(clock)
    here, there = old.process("HS256"), new.process("HS256")
    retiring = (await here.acquire()).key.kid
    await here.rotate()
    await copy_ring(here, there, max_mints=None)
    assert (await there.resolve(retiring)).kid == retiring


async def test_copying_rotates_nothing_even_if_that_is_due(clock: FakeClock) -> None:
    old, new = sides(clock, HOURLY)
    kid = (await old.process().acquire()).key.kid
    clock.advance(timedelta(hours=2))
    await copy(old, new)
    signer = (await new.known()).signer
    assert signer is not None
    assert signer.kid == kid


async def test_copying_a_ring_onto_itself_changes_nothing(clock: FakeClock) -> None:
    old, _ = sides(clock, CAPPED)
    provider = old.process()
    await provider.acquire()
    stored = await old.store.see(old.ring)
    await copy_ring(provider, provider, max_mints=CAP)
    assert await old.store.see(old.ring) == stored
