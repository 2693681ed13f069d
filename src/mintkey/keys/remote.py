"""The keys of an issuer elsewhere, from the JWK Set that it publishes.

Who waits for the network? Nobody whose key is known. A set is refreshed behind its users, and used beyond its lifetime
for as long as no newer one is to be had. Only two callers wait, and each of them joins a fetch that all others share:
the first, while nothing is known at all, and one with an unknown kid, of whom a cool-down sees one fetch.
"""

import re
from collections.abc import Collection
from datetime import timedelta
from threading import Lock

from mintkey.clock import Clock, SystemClock
from mintkey.errors import KeyNotFoundError, Reason, RemoteKeysError
from mintkey.flight import Detached, SingleFlight
from mintkey.http.base import HttpTransport
from mintkey.http.caching import freshness_of, retry_after_of
from mintkey.http.fetch import BadDocumentError, Fetched, FetchError, fetch
from mintkey.http.httpx import HttpxTransport
from mintkey.jose.prepared import offload
from mintkey.keys.base import VerificationKey
from mintkey.keys.remote_set import UnfitSetError, read_set
from mintkey.keys.remote_settings import RemoteSettings
from mintkey.keys.remote_state import Attempts, HeldKeys, RemoteKeysState, tell, usable
from mintkey.lifecycle import Resource

__all__ = ["JWKSKeyResolver", "RemoteKeysState"]

_ACCEPT = "application/jwk-set+json, application/json;q=0.9, */*;q=0.1"
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')  # RFC 9110 §8.8.3; it goes back into a field as it is


class JWKSKeyResolver(Resource):
    """A `KeyResolver` over a JWK Set that an issuer publishes (RFC 7517 §5).

    A known kid never waits, not even while the endpoint hangs. A bad answer takes nothing away: what is garbage, too
    large, or without a usable key leaves the keys as they are. An unknown kid causes one fetch per cool-down, counted
    from attempts, whatever their outcome; for the rest of it the set itself is what says that a kid is unknown, so that
    a flood of random kids costs neither requests nor memory. While the last fetch failed, nobody knows whether such a
    kid exists by now, and it is an error of infrastructure, not of the token.

    Keys are taken one by one: what cannot be used is skipped, and told by `state`. A key verifies one algorithm: that
    of its `alg`, else that of its curve; RSA means RS256.

    Entering it begins the first fetch; it may be used without being entered, too. Event loops of several threads may
    share one: they share its keys, and none waits for what another fetches.

    Args:
        url: Of the JWK Set: https, or http on loopback. Redirects are followed within its origin only.
        transport: Sends requests; by default httpx2 does, from the extra `http`. One that is given is never closed.
        clock: Where time comes from; by default the machine's.
        timeout: For a whole fetch, in real time: connecting, redirects and the body.
        default_ttl: How long a set is fresh if its answer does not say (RFC 9111 §4.2.1).
        min_ttl: How long it is fresh at least, whatever the answer says.
        max_ttl: How long it is fresh at most. From 80 % of this time on it is refreshed, behind those who use it.
        max_stale: How long it is used beyond that while no newer one is to be had.
        cooldown: The time between two fetches for unknown kids, and between a failed fetch and the next one. Without
            any keys the first pauses are shorter. `Retry-After` lengthens it, to a quarter of an hour at most.
        max_bytes: The largest set to read.
        algorithms: The algorithms that keys may be for; by default all asymmetric ones. An RSA key without `alg` is for
            the only RSA algorithm among these, where they name one and RS256 is not among them.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).
        MissingExtraError: No transport was given and httpx2 is not installed (`extra_missing`).

    Example:
        ```python
        keys = JWKSKeyResolver("https://issuer.example/.well-known/jwks.json")
        async with TokenVerifier(issuer="https://issuer.example", keys=keys) as tokens:
            caller = await tokens.verify(token, ACCESS)
        ```
    """

    def __init__(
        self,
        url: str,
        *,
        transport: HttpTransport | None = None,
        clock: Clock | None = None,
        timeout: timedelta = timedelta(seconds=5),
        default_ttl: timedelta = timedelta(minutes=10),
        min_ttl: timedelta = timedelta(minutes=1),
        max_ttl: timedelta = timedelta(hours=24),
        max_stale: timedelta = timedelta(hours=24),
        cooldown: timedelta = timedelta(seconds=30),
        max_bytes: int = 512 * 1024,
        algorithms: Collection[str] | None = None,
    ) -> None:
        self._settings = RemoteSettings.checked(
            url,
            timeout=timeout,
            default_ttl=default_ttl,
            min_ttl=min_ttl,
            max_ttl=max_ttl,
            max_stale=max_stale,
            cooldown=cooldown,
            max_bytes=max_bytes,
            algorithms=algorithms,
        )
        self._owns_transport = transport is None
        self._transport: HttpTransport = HttpxTransport() if transport is None else transport
        self._clock: Clock = SystemClock() if clock is None else clock
        self._monotonic = self._clock.monotonic
        self._held: HeldKeys | None = None
        self._attempts = Attempts()
        self._guard = Lock()  # event loops of several threads share these two; never held over an await
        self._tasks = Detached(lambda: RemoteKeysError("the resolver was closed while somebody waited for keys"))
        self._fetching = SingleFlight(self._tasks, self._refresh)

    def __repr__(self) -> str:
        return f"<JWKSKeyResolver of {self._settings.name}, {self.state.word}>"

    @property
    def state(self) -> RemoteKeysState:
        """How it is doing: what it holds, until when, and how its fetches went."""
        return tell(self._held, self._attempts, self._monotonic())

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed; a known one without waiting.

        Raises:
            KeyNotFoundError: The set has no usable key of this kid (`key_unknown`).
            RemoteKeysError: The set could not be had (`jwks_unavailable`) or read (`jwks_invalid`), and nothing usable
                is held, or what is held does not have this kid, or the resolver was closed meanwhile
                (`jwks_unavailable`).
        """
        return self.at_hand(kid) or await self._look_for(kid)

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        """The key that verifies what this kid signed, if it is known; for callers in an event loop."""
        held, now = self._held, self._monotonic()
        if held is None or now >= held.usable_until:
            return None
        key = held.keys.verifiers.get(kid)
        if key is not None and held.refresh_at <= now and self._attempts.free_at <= now:
            self._fetching.start()  # behind the caller
        return key

    async def _open(self) -> None:
        # Behind whoever enters: an issuer that is away must not keep a service from starting.
        now = self._monotonic()
        if not usable(self._held, now) and self._attempts.free_at <= now:
            self._fetching.start()

    async def _close(self) -> None:
        await self._tasks.aclose()
        if self._owns_transport:
            await self._transport.aclose()

    async def _look_for(self, kid: str) -> VerificationKey:
        """The key of a kid that was not known a moment ago."""
        # What runs already began before the question: its answer may be older than the key.
        runs_already = self._fetching.is_running
        if runs_already or self._may_begin():
            await self._fetching.join()
            if runs_already and self._is_unknown(kid) and (self._fetching.is_running or self._may_begin()):
                await self._fetching.join()
        keys = usable(self._held, self._monotonic())
        if kid in keys:
            return keys[kid]
        if keys and self._attempts.reason is None:
            raise KeyNotFoundError("the remote set has no key of this kid that can be used")
        raise self._not_known(has_keys=bool(keys))

    def _is_unknown(self, kid: str) -> bool:
        return kid not in usable(self._held, self._monotonic())

    def _may_begin(self) -> bool:
        """Whether who found no key may begin a fetch; whoever asks while there are other keys is taken to do so."""
        now = self._monotonic()
        with self._guard:
            if now < self._attempts.free_at:
                return False
            if usable(self._held, now):
                if now < self._attempts.search_at:
                    return False
                self._attempts = self._attempts.searched(now + self._settings.cooldown)
        return True

    def _not_known(self, *, has_keys: bool) -> RemoteKeysError:
        attempts = self._attempts
        details = {"url": self._settings.name, "failures": attempts.failures}
        if not has_keys:
            problem = attempts.problem or "they were past their time at once"
            return RemoteKeysError(f"there are no remote keys: {problem}", reason=attempts.reason, details=details)
        return RemoteKeysError(
            f"no key of this kid is known, and the remote set could not be refreshed: {attempts.problem}",
            details=details,
        )

    async def _refresh(self) -> None:
        """Fetch once. What becomes of it is noted and never raised: those who wait look for themselves."""
        held, settings, asked_at = self._held, self._settings, self._monotonic()
        try:
            fetched = await fetch(
                self._transport,
                settings.url,
                timeout=settings.timeout,
                max_bytes=settings.max_bytes,
                accept=_ACCEPT,
                etag=None if held is None else held.etag,
            )
            confirmed = await self._confirmed(fetched, held, asked_at)
        except FetchError as error:
            is_bad = isinstance(error, BadDocumentError)
            self._note(Reason.JWKS_INVALID if is_bad else Reason.JWKS_UNAVAILABLE, error)
        except UnfitSetError as error:
            self._note(Reason.JWKS_INVALID, error)
        else:
            with self._guard:
                # Another event loop may have asked later, and have heard of newer keys.
                if self._held is None or self._held.asked_at <= asked_at:
                    self._held = confirmed
                self._attempts = self._attempts.succeeded()

    async def _confirmed(self, fetched: Fetched, held: HeldKeys | None, asked_at: float) -> HeldKeys:
        """The set that is held from now on."""
        time, now, lifetimes = self._clock.time(), self._monotonic(), self._settings.lifetimes
        said = freshness_of(fetched.headers, now=time)
        if fetched.document is None and held is not None:
            lifetime = held.lifetime if said is None else lifetimes.bounded(said)
            return HeldKeys.of(held.keys, lifetime, lifetimes, etag=held.etag, asked_at=asked_at, time=time, now=now)
        # In a thread: a set of hundreds of keys takes a while, and those whose keys are known are not to wait for it.
        keys = await offload(read_set, fetched.document or {}, self._settings.algorithms)
        etag = fetched.headers.get("etag", "")
        return HeldKeys.of(
            keys,
            lifetimes.bounded(said),
            lifetimes,
            etag=etag if _ETAG.fullmatch(etag) else None,
            asked_at=asked_at,
            time=time,
            now=now,
        )

    def _note(self, reason: Reason, error: FetchError | UnfitSetError) -> None:
        now = self._monotonic()
        asked = retry_after_of(error.headers, now=self._clock.time()) if isinstance(error, FetchError) else None
        with self._guard:
            self._attempts = self._attempts.failed(
                reason,
                str(error),
                now=now,
                cooldown=self._settings.cooldown,
                asked=asked,
                has_keys=bool(usable(self._held, now)),
            )
