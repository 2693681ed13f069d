"""The rotating key provider, written once over two ports: where the ring lives, and who holds its private keys.

How it is put together: `ring` and `merge` say what should be, `keeper` makes it so in the store and holds the snapshot,
`refresh` bounds the snapshot's age, `minting` counts, `keychain` holds open keys. This module is the public face.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from math import inf

import anyio

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, MintkeyError, Reason
from mintkey.jose.jwk import check_kid
from mintkey.keys.access import RingAccess
from mintkey.keys.base import (
    Algorithm,
    JWKSet,
    KeyCustodian,
    KeyRingStore,
    KeyState,
    KeyVersion,
    SigningGrant,
    VerificationKey,
)
from mintkey.keys.flight import Detached, SingleFlight
from mintkey.keys.jwks import cacheable_for, render
from mintkey.keys.keeper import RingKeeper
from mintkey.keys.keychain import Keychain
from mintkey.keys.minting import MintCounter
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.refresh import Freshness
from mintkey.keys.ring import Intent, rotation_due_at
from mintkey.keys.settings import check_settings
from mintkey.keys.snapshot import Snapshot
from mintkey.keys.views import describe_all
from mintkey.lifecycle import Resource

__all__ = ["RotatingKeyProvider"]

_logger = logging.getLogger("mintkey.keys")

_COOL_DOWN = 1.0  # seconds between two tries of a rotation that failed
_PATIENCE = 0.5  # seconds of real time that a caller gives such a try
_MAX_REASON = 500
_MAY_SIGN = frozenset({KeyState.ACTIVE, KeyState.PENDING})


class RotatingKeyProvider(Resource):
    """An `IKeyProvider` over any `KeyRingStore` and any `KeyCustodian`: what all rotating providers are made of.

    It needs no background task: whoever calls finds what is due and does it. `maintain` does the same ahead of callers.
    One provider belongs to one event loop at a time.

    Args:
        store: Where the ring lives; opened and closed with the provider if it is a `Resource`.
        ring: The ring's name; one store may hold several.
        algorithm: What new versions are for. Changing it changes the next successor, not the versions that exist.
        policy: When versions rotate and how long they verify; the same in every process of a fleet.
        clock: Where time comes from; by default the machine's.
        custodian: Who holds the private keys.
        refresh_interval: How old this process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the store is away.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

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
        self._store = store
        self._ring = ring
        self._policy = policy
        self._refresh_interval = refresh_interval
        self._max_age = cacheable_for(policy, delay=refresh_interval + max_clock_skew)
        self._tasks = Detached()
        self._keychain = Keychain(custodian, algorithm)
        access = RingAccess(store, ring)
        self._keeper = RingKeeper(access, self._keychain, policy=policy, clock=clock, fresh_for=refresh_interval / 2)
        self._freshness = Freshness(
            self._keeper,
            self._tasks,
            clock=clock,
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
        )
        self._mints = MintCounter(self._keeper, access, self._keychain, self._tasks, policy=policy, clock=clock)
        self._advancing = SingleFlight(self._tasks, self._advance)
        self._rotating = SingleFlight(self._tasks, self._rotate_now)
        self._advance_failed_at: float | None = None

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
        snapshot = self._keeper.snapshot
        if snapshot is not None and self._clock.monotonic() < snapshot.fresh_until:
            found = snapshot.verifiers.get(kid)
            if found is not None and self._clock.time() < found.until:
                return found.key
        return await self._resolve_with_care(kid)

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
        snapshot = self._keeper.snapshot
        if (
            snapshot is not None
            and self._clock.monotonic() < snapshot.fresh_until
            and self._clock.time() < snapshot.change_due_at
        ):
            grant = self._mints.take(snapshot.signing_kid, want)
            if grant is not None:
                return grant
        return await self._acquire_with_care(want)

    async def versions(self) -> Sequence[KeyVersion]:
        """All versions that are still remembered in full, newest first, as the store holds them now.

        While the store is away they are shown as this process last saw them.

        Raises:
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`).
        """
        with suppress(KeyProviderError):
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

    async def jwks(self) -> JWKSet:
        """The public keys to publish: pending, active and retiring ones (RFC 7517 §5).

        Raises:
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`).
        """
        snapshot = await self._begun()
        return render(snapshot.ring, self._clock.time(), max_age=self._max_age)

    async def maintain(self) -> timedelta:
        """Do what is due (refresh, rotate, prune, open keys); how long until there may be more. Never raises."""
        try:
            changed = await self._tasks.run(self._keeper.change(Intent(prune=True)))
            await self._keychain.open_ahead(changed.snapshot.ring)
            await self._mints.settle()
        except MintkeyError:
            return timedelta(seconds=_COOL_DOWN)  # callers meet the same trouble and report it
        # Ahead of the moment from which on callers would look themselves.
        pause = 0.8 * self._refresh_interval.total_seconds() / 2
        return timedelta(seconds=max(0.0, min(pause, changed.snapshot.change_due_at - self._clock.time())))

    def overdue(self) -> timedelta:
        """For how long a rotation by time is due and could not be done; zero if all is well."""
        snapshot = self._keeper.snapshot
        due_at = inf if snapshot is None else rotation_due_at(snapshot.ring, self._policy)
        return timedelta(seconds=max(0.0, self._clock.time() - due_at))

    async def _resolve_with_care(self, kid: str) -> VerificationKey:
        # What no key of ours can be called is not worth a look at anything.
        if check_kid(kid):
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
        if failed_at is None:
            with suppress(MintkeyError):
                return await self._advancing.join()
        elif self._clock.monotonic() - failed_at >= _COOL_DOWN and not self._advancing.is_running:
            # One caller a second gives it a moment. While a store hangs all others go on at once.
            with anyio.move_on_after(_PATIENCE), suppress(MintkeyError):
                return await self._advancing.join()
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

    async def _close(self) -> None:
        await self._tasks.aclose()
        with suppress(MintkeyError):
            await self._mints.settle()
        self._mints.forget()
        self._keeper.forget()
        self._advance_failed_at = None
        await self._keychain.aclose()
        if isinstance(self._store, Resource):
            await self._store.aclose()
