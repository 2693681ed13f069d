"""Minting: a purpose and a request become a claim set, a grant, a signature, a token."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any, Self, TypeVar

import anyio

from mintkey import ids
from mintkey.cache import VerificationCache
from mintkey.checking import health_of
from mintkey.clock import Clock
from mintkey.errors import ConfigurationError, MintkeyError
from mintkey.events import Hook, Minted
from mintkey.flight import Detached, SingleFlight
from mintkey.health import Health
from mintkey.issuing import Draft, Form, check_headers, payload_of
from mintkey.jose.batches import sign_all
from mintkey.jose.compact import assemble, compose, header_segment
from mintkey.keys.at_hand import grants_of
from mintkey.keys.base import Algorithm, IKeyProvider, JWKSet, Maintained, SigningKey
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.purpose import Purpose, PurposeTable
from mintkey.reading import template_of
from mintkey.replay.base import ReplayStore
from mintkey.tokens import MintedToken, MintRequest, minted
from mintkey.verifier import TokenVerifier
from mintkey.workings import ServiceWorkings, Unsigned

__all__ = ["TokenService"]

C = TypeVar("C")

_log = logging.getLogger("mintkey")

_KEPT_HEADERS = 256
"""Header segments kept: one for each key that signs and each type, so a handful."""

_BATCH = 1024
"""Tokens that are signed together: some two milliseconds of work of our own before and after."""


class TokenService(TokenVerifier):
    """Mints tokens, and does all that a `TokenVerifier` does.

    Args:
        issuer: The `iss` of every token (RFC 7519 §4.1.1).
        keys: Holds and rotates the keys.
        replay: Remembers what was spent and revoked; needed by single-use and revocable purposes.
        clock: Where time comes from; by default the machine's.
        hooks: Told of every outcome.
        cache: Lets tokens for many uses skip the signature when they come again; by default none is kept.
        max_token_bytes: A longer token is refused unread, and never minted.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        ```python
        async with TokenService(
            issuer="https://myapp.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore()
        ) as tokens:
            token = await tokens.mint(LOGIN, subject="20")
            used = await tokens.verify(token, LOGIN)
        ```
    """

    def __init__(
        self,
        *,
        issuer: str,
        keys: IKeyProvider,
        replay: ReplayStore | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        cache: VerificationCache | None = None,
        max_token_bytes: int = 16_384,
    ) -> None:
        super().__init__(
            issuer=issuer,
            keys=keys,
            replay=replay,
            clock=clock,
            hooks=hooks,
            cache=cache,
            max_token_bytes=max_token_bytes,
        )
        self._provider = keys
        self._grant_at_hand = grants_of(keys)
        # Of the loop and not of a task group: a service may be left by another task than the one that entered it, as
        # test fixtures and frameworks do, and by another event loop.
        self._tasks = Detached(lambda: ConfigurationError("the service was closed"))
        self._upkeep = SingleFlight(self._tasks, partial(_maintain, keys)) if isinstance(keys, Maintained) else None
        self._headers: dict[tuple[str, str], bytes] = {}
        self._forms: PurposeTable[Form[Any]] = PurposeTable(
            lambda purpose: Form(purpose, template_of(purpose, issuer=issuer))
        )

    @property
    def workings(self) -> ServiceWorkings:
        """What this service is made of, for flows of this package; it promises nothing to others."""
        return ServiceWorkings(
            issuer=self._issuer,
            keys=self._provider,
            replay=self._replay,
            clock=self._clock,
            pace=self._pace,
            openings=self._openings,
            authentic=self._authentic,
            write=self._written,
            finish=self._signed,
            tell=self._tell,
        )

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        issuer: str,
        ring: str = "default",
        algorithm: Algorithm = "EdDSA",
        policy: RotationPolicy | None = None,
        sealer: Sealer | Plaintext | None = None,
        refresh_interval: timedelta = timedelta(seconds=5),
        outage_tolerance: timedelta = timedelta(minutes=10),
        max_clock_skew: timedelta = timedelta(seconds=5),
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        cache: VerificationCache | None = None,
    ) -> "TokenService":
        """A service whose keys and marks are in one place; it closes what it built.

        `memory://`: this process, gone with it. `file:///directory`: the processes of one machine; the marks lie in an
        SQLite file beside the keys. `sqlite:///file.db`: the processes of one machine, one file for all.
        `postgresql://user@host/database`: a fleet. `redis://host:port/0`, `rediss://…` (TLS), `unix:///socket`: a
        fleet and one server; `redis+cluster://host:port,host:port` a cluster, and
        `redis+sentinel://host:port,host:port/service` the master that Sentinel names, both with `rediss+` too.

        Args:
            url: One of these.
            issuer: As for `TokenService`.
            ring: The name of the key ring; one place may hold several.
            algorithm: What new key versions are for.
            policy: When keys rotate; by default `RotationPolicy()`. The same in every process of a fleet.
            sealer: Seals private keys at rest. SQLite, PostgreSQL and Redis need one, or `Plaintext()`, which says that
                private keys may lie open.
            refresh_interval: How old this process's view of the ring may become.
            outage_tolerance: How long signing and verifying go on while the place is away.
            max_clock_skew: How far the clocks of processes and verifiers may differ.
            clock: As for `TokenService`.
            hooks: As for `TokenService`.
            cache: As for `TokenService`.

        Raises:
            ConfigurationError: The URL or a setting does not fit (`configuration`).
            MissingExtraError: The scheme needs an extra that is not installed (`extra_missing`).
        """
        from mintkey.places import place_of  # noqa: PLC0415 - the one arrow that points outward, followed on demand

        keys, replay = place_of(
            url,
            ring=ring,
            algorithm=algorithm,
            policy=policy or RotationPolicy(),
            sealer=sealer,
            clock=clock,
            refresh_interval=refresh_interval,
            outage_tolerance=outage_tolerance,
            max_clock_skew=max_clock_skew,
        )
        return cls(issuer=issuer, keys=keys, replay=replay, clock=clock, hooks=hooks, cache=cache)

    async def mint(
        self,
        purpose: Purpose[C],
        /,
        *,
        subject: str | None = None,
        claims: C | None = None,
        scopes: Collection[str] = (),
        audience: str | Sequence[str] | None = None,
        lifetime: timedelta | None = None,
        not_before: datetime | None = None,
        token_id: str | None = None,
        headers: Mapping[str, object] | None = None,
        kid: str | None = None,
    ) -> MintedToken:
        """A new token.

        Args:
            purpose: What it is for.
            subject: The `sub`.
            claims: Private claims, of the purpose's type; never changed, and never a registered claim.
            scopes: The `scope`, words without spaces.
            audience: The `aud`; by default the purpose's.
            lifetime: Shorter than the purpose's; by default the purpose's.
            not_before: The `nbf`, an aware datetime.
            token_id: The `jti`; by default 128 random bits.
            headers: Private header members that the purpose names.
            kid: Pins the key version that signs: the active or the pending one.

        Raises:
            ConfigurationError: An argument contradicts the purpose or the keys; all problems at once
                (`configuration`).
            KeyProviderError: No key can sign right now (`keys_unavailable`, `signing_failed`, `rotation_conflict`,
                `key_exhausted`).
            ReplayStoreError: The store of a stateful purpose cannot be opened (`replay_unavailable`).
        """
        form = self._forms.find(id(purpose)) or self._forms.add(purpose)
        longest = self._provider.max_token_age
        draft = form.fill(
            subject=subject,
            claims=claims,
            scopes=scopes,
            audience=audience,
            lifetime=lifetime,
            not_before=not_before,
            token_id=token_id,
            max_token_age=longest,
        )
        if headers:
            check_headers(purpose, headers)
        if not self._all_is_open:
            await self._open_for(purpose)
        grant = self._grant_at_hand() if kid is None else None
        if grant is None:
            grant = await self._provider.acquire(1, kid=kid)
        pace = self._pace
        pace.free -= 1
        if pace.free < 0 and pace.is_over():
            await pace.rest()
        key = grant.key
        unsigned = self._written(draft, purpose, key, headers, self._time())
        token = self._signed(unsigned, await key.sign(unsigned[0]), purpose, key)
        if self._hooks:
            self._tell(Minted(purpose=purpose.name, key_id=token.key_id))
        return token

    async def mint_many(
        self,
        purpose: Purpose[C],
        requests: Iterable[MintRequest[C]],
        /,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[MintedToken]:
        """Many new tokens, in the order of the requests; either all requests fit or none is minted.

        Mints are reserved in one go, all cores sign, and the event loop goes on meanwhile.

        Args:
            purpose: What they are for.
            requests: What each is to say.
            progress: Told now and then how many tokens there are already, and how many there will be. It is called on
                the event loop, and what it raises ends the call.

        Raises:
            ConfigurationError: A request contradicts the purpose; its position is named (`configuration`).
            KeyProviderError: As for `mint`; what was minted so far is lost.
            ReplayStoreError: As for `mint`.
        """
        drafts = await self._fill_all(purpose, requests)
        if not self._all_is_open:
            await self._open_for(purpose)
        tokens: list[MintedToken] = []
        while len(tokens) < len(drafts):
            grant = await self._provider.acquire(len(drafts) - len(tokens))
            end = len(tokens) + grant.count
            for first in range(len(tokens), end, _BATCH):
                tokens += await self._mint_batch(purpose, drafts[first : min(first + _BATCH, end)], grant.key)
                if progress is not None:
                    progress(len(tokens), len(drafts))
            if self._hooks:
                self._tell(Minted(purpose=purpose.name, key_id=grant.key.kid, count=grant.count))
        return tokens

    async def jwks(self) -> JWKSet:
        """The public keys to publish, with an ETag and how long they may be cached (RFC 7517 §5).

        Raises:
            KeyProviderError: The keys cannot be read (`keys_unavailable`).
        """
        return await self._provider.jwks()

    async def health(self) -> Health:
        """How keys and store are doing right now; asks both, never raises for either.

        `keys`: whether a version signs, and the number of versions. `replay`: whether the store answers, and in how
        many milliseconds. Behind a dot whatever providers and stores have to say of themselves, as in `keys.rotation`;
        see `RotatingKeyProvider.checks`.
        """
        return await health_of(self._provider, self._replay, self._clock)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self._upkeep is not None:
            self._upkeep.start().set_name("mintkey-maintain")
        return self

    async def aclose(self) -> None:
        """Stop the work ahead of time, then take back what this service opened; closing twice does nothing."""
        await self._tasks.aclose()
        await super().aclose()

    async def _fill_all(self, purpose: Purpose[C], requests: Iterable[MintRequest[C]]) -> list[Draft]:
        form, longest = self._forms[purpose], self._provider.max_token_age
        drafts: list[Draft] = []
        problems: list[str] = []
        pace = self._pace
        for position, request in enumerate(requests):
            pace.free -= 1
            if pace.free < 0 and pace.is_over():
                await pace.rest()
            try:
                drafts.append(
                    form.fill(
                        subject=request.subject,
                        claims=request.claims,
                        scopes=request.scopes,
                        audience=request.audience,
                        lifetime=request.lifetime,
                        not_before=request.not_before,
                        token_id=request.token_id,
                        max_token_age=longest,
                    )
                )
            except ConfigurationError as error:
                problems.append(f"request {position}: {error}")
        ConfigurationError.raise_if(problems)
        return drafts

    async def _mint_batch(self, purpose: Purpose[Any], drafts: list[Draft], key: SigningKey) -> list[MintedToken]:
        if self._pace.is_over():
            await self._pace.rest()
        unsigned = [self._written(draft, purpose, key, None, self._time()) for draft in drafts]
        signatures = await sign_all(key, [signing_input for signing_input, _, _ in unsigned])
        return list(map(self._signed, unsigned, signatures, repeat(purpose), repeat(key)))

    def _written(
        self, draft: Draft, purpose: Purpose[Any], key: SigningKey, headers: Mapping[str, object] | None, now: float
    ) -> Unsigned:
        token_id = draft[3] or ids.new_id()
        payload, expires_at = payload_of(draft, token_id, now)
        return compose(self._header(purpose, key, headers), payload), token_id, expires_at

    def _signed(self, unsigned: Unsigned, signature: bytes, purpose: Purpose[Any], key: SigningKey) -> MintedToken:
        signing_input, token_id, expires_at = unsigned
        token = assemble(signing_input, signature)
        if len(token) > self._max_token_bytes:
            raise ConfigurationError(
                f"{purpose.name}: a token of {len(token)} bytes would be refused, max_token_bytes is "
                f"{self._max_token_bytes}: put less into the claims"
            )
        return minted(MintedToken, token, token_id, expires_at, key.kid, purpose.name)

    def _header(self, purpose: Purpose[Any], key: SigningKey, headers: Mapping[str, object] | None) -> bytes:
        if headers:
            return header_segment(kid=key.kid, algorithm=key.algorithm, typ=purpose.typ, headers=headers)
        found = self._headers.get((key.kid, purpose.typ))
        if found is None:
            if len(self._headers) >= _KEPT_HEADERS:
                self._headers.clear()
            found = header_segment(kid=key.kid, algorithm=key.algorithm, typ=purpose.typ)
            self._headers[key.kid, purpose.typ] = found
        return found


async def _maintain(provider: Maintained) -> None:
    """Do a provider's work ahead of its callers, for as long as the service is entered."""
    while True:
        try:
            pause = await provider.maintain()
        except MintkeyError as error:
            # The callers meet the same trouble and report it; here it must not end the upkeep.
            _log.warning("key maintenance failed: %s", error.reason)
            pause = timedelta(seconds=1)
        await anyio.sleep(max(0.05, pause.total_seconds()))
