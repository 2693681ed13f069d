"""The rotating key provider, written once over two ports: where the ring lives, and who holds its private keys.

`ring` and `merge` say what should be, `keeper` makes it so in the store and holds the snapshot, `refresh` bounds its
age, `minting` counts, `keychain` holds open keys. This module is the public face.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from math import inf

import anyio

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, MintkeyError, Reason
from mintkey.events import Hook
from mintkey.flight import Detached, SingleFlight
from mintkey.health import Check
from mintkey.jose.jwk import check_kid
from mintkey.keys.access import RingAccess
from mintkey.keys.base import Algorithm, JWKSet, KeyState, KeyVersion, SigningGrant, VerificationKey
from mintkey.keys.jwks import cacheable_for, render
from mintkey.keys.keeper import RingKeeper
from mintkey.keys.keychain import Keychain
from mintkey.keys.minting import MintCounter
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian, KeyRingStore
from mintkey.keys.probing import RingProbe
from mintkey.keys.refresh import Freshness
from mintkey.keys.rewrapping import rewrap
from mintkey.keys.ring import Intent
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.settings import check_settings
from mintkey.keys.snapshot import Snapshot
from mintkey.keys.store_clock import StoreClock
from mintkey.keys.views import describe_all
from mintkey.keys.watching import RingWatch
from mintkey.keys.workings import RingWorkings
from mintkey.lifecycle import Resource

__all__ = ["RotatingKeyProvider"]

_logger = logging.getLogger("mintkey.keys")

_COOL_DOWN = 1.0  # seconds between two tries of a rotation that failed
_PATIENCE = 0.5  # seconds of real time that a caller gives such a try
_LONG_PATIENCE = 2.0  # and the first one, and a look at the store if there is an answer without it
_MAX_REASON = 500
_MAY_SIGN = frozenset({KeyState.ACTIVE, KeyState.PENDING})


class RotatingKeyProvider(Resource):
    """An `IKeyProvider` over any `KeyRingStore` and any `KeyCustodian`: what all rotating providers are made of.

    It needs no background task: whoever calls finds what is due and does it. `maintain` does the same ahead of callers.
    One provider serves any number of event loops, in as many threads, if its store and its custodian do: the loops
    share what is known and what was granted, and none waits for another.

    Args:
        store: Where the ring lives; opened and closed with the provider if it is a `Resource`.
        ring: The ring's name; one store may hold several.
        algorithm: What new versions are for. Changing it changes the next successor, not the versions that exist.
        policy: When versions rotate and how long they verify; the same in every process of a fleet.
        clock: Where time comes from; by default the machine's.
        custodian: Who holds the private keys.
        sealer: Authenticates the ring itself, so that who can write to the store can add or postpone nothing; the one
            of a `SealedCustodian`, if that holds the keys. By default, and with `Plaintext()`, nothing does.
        refresh_interval: How old this process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the store is away. What is signed meanwhile ends
            early if others replaced the key, unless `previous_ttl` is longer than the token's time by as much.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

    Attributes:
        workings: What is underneath, for the tools of this package that move rings; promises nothing to others.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        >>> import asyncio
        >>> from mintkey.keys.custodians.sealed import SealedCustodian
        >>> from mintkey.keys.sealing import Plaintext
        >>> from mintkey.keys.stores.memory import MemoryKeyRingStore
        >>> provider = RotatingKeyProvider(
        ...     MemoryKeyRingStore(), custodian=SealedCustodian(Plaintext(), ring="default")
        ... )
        >>> [str(version.state) for version in asyncio.run(provider.versions())]
        ['pending', 'active']
    """

    def __init__(
        self,
        store: KeyRingStore,
        *,
        custodian: KeyCustodian,
        ring: str = "default",
        algorithm: Algorithm = "EdDSA",
        policy: RotationPolicy = RotationPolicy(),  # noqa: B008 - immutable
        clock: Clock | None = None,
        sealer: Sealer | Plaintext | None = None,
        refresh_interval: timedelta = timedelta(seconds=5),
        outage_tolerance: timedelta = timedelta(minutes=10),
        max_clock_skew: timedelta = timedelta(seconds=5),
    ) -> None:
        check_settings(
            ring=ring,
            algorithm=algorithm,
            policy=policy,
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
            max_clock_skew=max_clock_skew,
        )
        self._clock = clock = SystemClock() if clock is None else clock
        self._time, self._monotonic = clock.time, clock.monotonic
        self._store = store
        self._ring = ring
        self._policy = policy
        self._refresh_interval = refresh_interval
        self._max_age = cacheable_for(policy, delay=refresh_interval + max_clock_skew)
        self._tasks = Detached(lambda: KeyProviderError("the key provider was closed while it was at work"))
        self._keychain = Keychain(custodian, algorithm)
        store_clock = StoreClock(clock, bound=max_clock_skew, ring=ring)
        access = RingAccess(store, ring, sealer=sealer)
        self._keeper = RingKeeper(
            access, self._keychain, policy=policy, clock=clock, store_clock=store_clock, fresh_for=refresh_interval / 2
        )
        self.workings: RingWorkings = RingWorkings(access, self._keeper, self._keychain, self._tasks, policy, clock)
        self._watch = RingWatch(store, ring, self._keeper, self._tasks)
        self._freshness = Freshness(
            self._keeper, self._tasks, clock=clock, refresh_interval=refresh_interval, outage_tolerance=outage_tolerance
        )
        self._mints = MintCounter(self.workings)
        self._advancing = SingleFlight(self._tasks, self._advance)
        self._rotating = SingleFlight(self._tasks, self._rotate_now)
        self._advance_failed_at: float | None = None
        self._has_opened_store = False
        self._probe = RingProbe(
            self.workings,
            store,
            store_clock,
            self._advanced,
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
        )

    @property
    def max_token_age(self) -> timedelta:
        """The longest lifetime plus leeway that it can honour: for so long a previous version verifies."""
        return self._policy.previous_ttl

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed.

        Raises:
            KeyNotFoundError: There is no such key (`key_unknown`), or its time is over (`key_retired`).
            KeyRevokedError: It was revoked (`key_revoked`).
            KeyProviderError: The store is away and nobody knows, or it is for longer than is safe (`keys_unavailable`).
        """
        return self.at_hand(kid) or await self._resolve_with_care(kid)

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        """The key that verifies what this kid signed, if it is known for certain without asking anybody."""
        snapshot = self._keeper.snapshot
        if snapshot is not None and self._monotonic() < snapshot.fresh_until:
            found = snapshot.verifiers.get(kid)
            if found is not None and (found.until == inf or self._time() < found.until):
                return found.key
        return None

    async def acquire(self, want: int = 1, /, *, kid: str | None = None) -> SigningGrant:
        """Leave to sign 1 … `want` tokens with the version that signs next; rotates first when that is due.

        Args:
            want: How many signatures the caller would like, at least 1.
            kid: Pins the version: the active or the pending one.

        Raises:
            ConfigurationError: `want` is below 1, or the pinned kid is neither active nor pending (`configuration`).
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`), a pinned version is at its
                cap (`key_exhausted`), or rotation keeps losing against others (`rotation_conflict`).
        """
        if want < 1:
            raise ConfigurationError("acquire: want must be at least 1")
        if kid is not None:
            return await self._acquire_pinned(want, kid)
        return self.grant_at_hand(want) or await self._acquire_with_care(want)

    def grant_at_hand(self, want: int = 1) -> SigningGrant | None:
        """Leave to sign from what the store granted already, while there is any and nothing is due."""
        snapshot = self._keeper.snapshot
        if snapshot is None or self._monotonic() >= snapshot.fresh_until or self._time() >= snapshot.change_due_at:
            return None
        return self._mints.take(snapshot.signing_kid, want)

    async def versions(self) -> Sequence[KeyVersion]:
        """All versions that are still remembered in full, newest first, as the store holds them now.

        While the store is away, or silent for two seconds, they are shown as this process last saw them.

        Raises:
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`).
        """
        await self._mints.rest()
        with anyio.move_on_after(_LONG_PATIENCE), suppress(KeyProviderError):
            await self._tasks.run(self._keeper.refresh())
        return self._described(await self._begun())

    async def rotate(self) -> KeyVersion:
        """Rotate now; the new active version. Callers who ask at the same time get the same one.

        Raises:
            KeyProviderError: As for `acquire`.
        """
        return await self._rotating.join()

    async def revoke(self, kid: str, /, *, reason: str = "") -> None:
        """Refuse everything that this version signed, from now on; a revoked active version is replaced at once.

        Other processes follow within their refresh interval. The version stays visible for `previous_ttl`.

        Args:
            kid: The version.
            reason: Why, for the audit trail in the ring, at most 500 characters.

        Raises:
            ConfigurationError: The reason is too long, or has half a surrogate pair (`configuration`).
            KeyNotFoundError: There is no such version (`key_unknown`), or it is gone already (`key_retired`).
            KeyProviderError: As for `acquire`.
        """
        if len(reason) > _MAX_REASON or reason.encode(errors="ignore").decode() != reason:
            raise ConfigurationError(f"revoke: reason must be Unicode text of at most {_MAX_REASON} characters")
        snapshot = await self._tasks.run(self._keeper.refresh())
        if snapshot.ring.find(kid) is None:
            stone = snapshot.ring.tombstone(kid)
            if stone is None:
                raise KeyNotFoundError("there is no such version to revoke")
            if not stone.revoked:
                raise KeyNotFoundError("that version is gone already", reason=Reason.KEY_RETIRED)
            return
        await self._tasks.run(self._keeper.change(Intent(revoke=kid, because=reason)))

    async def prune(self) -> int:
        """Drop what is past its time, and have its private halves destroyed; how many versions went.

        Raises:
            KeyProviderError: As for `acquire`.
        """
        return (await self._tasks.run(self._keeper.change(Intent(prune=True)))).dropped

    async def rewrap(self) -> int:
        """Seal every private key and the ring anew under the first key-encryption key; how many keys that concerned.

        Changes no key and no time. Once every process seals with that key, and this returned, the older ones can go.

        Raises:
            UnsupportedOperationError: The custodian keeps the keys elsewhere, and nothing seals the ring
                (`unsupported`).
            KeyProviderError: As for `acquire`, or a key does not open under any key-encryption key
                (`keys_unavailable`).
        """
        return await self._tasks.run(rewrap(self.workings))

    async def jwks(self) -> JWKSet:
        """The public keys to publish: pending, active and retiring ones (RFC 7517 §5).

        Raises:
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`).
        """
        snapshot = await self._begun()
        # What is older than usual may be cached for less: the next key may be public elsewhere already.
        late = self._clock.monotonic() - snapshot.checked_at - self._refresh_interval.total_seconds()
        max_age = max(timedelta(0), self._max_age - timedelta(seconds=max(0.0, late)))
        return render(snapshot.ring, self._clock.time(), max_age=max_age)

    async def maintain(self) -> timedelta:
        """Do what is due (refresh, rotate, prune, open keys) and listen to the store; how long until there may be more.

        Never raises.
        """
        self._watch.go_on()
        try:
            changed = await self._tasks.run(self._keeper.change(Intent(prune=True)))
            await self._keychain.open_ahead(changed.snapshot.ring)
            due_in = changed.snapshot.change_due_at - self._clock.time()
            await self._tasks.run(self._keychain.make_ahead(changed.snapshot.ring, due_in=due_in))
            await self._mints.settle()
        except MintkeyError:
            return timedelta(seconds=_COOL_DOWN)  # callers meet the same trouble and report it
        # Ahead of the moment from which on callers would look themselves.
        pause = 0.8 * self._refresh_interval.total_seconds() / 2
        return timedelta(seconds=max(0.0, min(pause, changed.snapshot.change_due_at - self._clock.time())))

    async def checks(self) -> Mapping[str, Check]:
        """How the ring is doing as this process sees it, after a look at the store; begins no ring and never raises.

        `store`: the milliseconds of that look. `ring`: the age of what is known, in seconds. `rotation`: the seconds
        since one by time was due. `successor`: the seconds since the next version is public. `clock`: the seconds by
        which this machine's clock is ahead of the store's. And whatever the store says of itself.
        """
        return await self._probe.checks()

    def announce_to(self, hooks: Sequence[Hook], /, *, of: object) -> None:
        """Tell these hooks of rotations and of revoked keys, for as long as their owner lives."""
        self._keeper.news.announce_to(hooks, of=of)

    async def _resolve_with_care(self, kid: str) -> VerificationKey:
        if check_kid(kid):  # what no key of ours can be called is not worth a look at anything
            now, snapshot = self._clock.time(), await self._freshness.current()
            key = snapshot.verifier(kid, now)
            if key is None and (newer := await self._freshness.after_unknown_kid()) is not None:
                key = newer.verifier(kid, now)
            if key is not None:
                return key
            if self._keeper.failure is not None:  # an outage is not a bad token
                raise KeyProviderError("the key ring cannot be read, so nobody knows") from self._keeper.failure
        raise KeyNotFoundError("there is no key of this id")

    async def _acquire_with_care(self, want: int) -> SigningGrant:
        # Every round either grants, or others were granted something, or it raises.
        while True:
            snapshot = await self._begun()
            if self._clock.time() >= snapshot.change_due_at:
                snapshot = await self._advanced(snapshot)
            kid = snapshot.signing_kid
            grant = self._mints.take(kid, want) or await self._mints.refill(kid, want)
            if grant is not None:
                return grant

    async def _acquire_pinned(self, want: int, kid: str) -> SigningGrant:
        snapshot = await self._begun()
        if check_kid(kid) and not snapshot.ring.knows(kid):
            snapshot = await self._freshness.after_unknown_kid() or snapshot
        version = snapshot.ring.find(kid)
        if version is None or snapshot.ring.state(version, self._clock.time()) not in _MAY_SIGN:
            raise ConfigurationError("acquire: only the active and the pending version can be pinned")
        grant = self._mints.take(kid, want) or await self._mints.reserve(snapshot, version, want)
        if grant is None:
            raise KeyProviderError(
                "the pinned version has no mints left", reason=Reason.KEY_EXHAUSTED, details={"kid": kid}
            )
        return grant

    async def _begun(self) -> Snapshot:
        """A snapshot of a ring that exists; whoever finds none begins it."""
        snapshot = await self._freshness.current()
        return snapshot if snapshot.signing_kid else await self._advancing.join()

    async def _advanced(self, snapshot: Snapshot) -> Snapshot:
        """The ring after what is due, or as it is if that cannot be done now: an overdue version is a good version."""
        failed_at = self._advance_failed_at
        is_first = failed_at is None
        if failed_at is None or (self._clock.monotonic() - failed_at >= _COOL_DOWN and not self._advancing.is_running):
            # One caller a second gives it a moment. While a store hangs, or a key takes its time to be made, all others
            # go on at once.
            with anyio.move_on_after(_LONG_PATIENCE if is_first else _PATIENCE), suppress(MintkeyError):
                return await self._advancing.join()
            if is_first and self._advancing.is_running:
                _logger.warning("ring %r is being rotated and that takes its time; going on", self._ring)
                self._advance_failed_at = self._clock.monotonic()
        return snapshot

    async def _advance(self) -> Snapshot:
        try:
            changed = await self._keeper.change(Intent())
        except MintkeyError as error:
            if self._advance_failed_at is None:
                _logger.warning("ring %r could not be rotated when it was due: %s", self._ring, error)
            self._advance_failed_at = self._clock.monotonic()
            raise
        self._advance_failed_at = None
        return changed.snapshot

    async def _rotate_now(self) -> KeyVersion:
        signing = (await self._keeper.refresh()).signing_kid
        snapshot = (await self._keeper.change(Intent(relieve=frozenset({signing})))).snapshot
        return next(version for version in self._described(snapshot) if version.kid == snapshot.signing_kid)

    def _described(self, snapshot: Snapshot) -> Sequence[KeyVersion]:
        mints = {version.kid: self._mints.used(snapshot, version.kid) for version in snapshot.ring.versions}
        return describe_all(snapshot.ring, self._clock.time(), mints=mints)

    async def _open(self) -> None:
        if isinstance(self._store, Resource):
            await self._store.__aenter__()
            self._has_opened_store = True

    async def _close(self) -> None:
        await self._tasks.aclose()
        await self._mints.close()
        self._keeper.forget()
        self._advance_failed_at = None
        await self._keychain.aclose()
        if isinstance(self._store, Resource):
            has_opened, self._has_opened_store = self._has_opened_store, False
            await (self._store.aclose() if has_opened else self._store.aclose_unless_open())
