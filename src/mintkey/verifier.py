"""Verifying: one strict gate, then the signature, then the claims, then revocation, and only then the spending."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from mintkey import ids, speed
from mintkey.cache import VerificationCache
from mintkey.claims.registered import admit
from mintkey.claims.template import ClaimsTemplate
from mintkey.clock import Clock, SystemClock, from_timestamp
from mintkey.errors import (
    BackendError,
    ConfigurationError,
    InvalidTokenError,
    MintkeyError,
    PurposeMismatchError,
)
from mintkey.events import Announcing, BackendDegraded, Event, Hook, Rejected, Revoked, Spent, Verified, emit
from mintkey.jose.compact import HeaderCache, authenticate, split
from mintkey.jose.header import Header, read_own_header, same_typ
from mintkey.keys.at_hand import keys_of
from mintkey.keys.base import KeyResolver
from mintkey.opening import Openings
from mintkey.pace import Pace
from mintkey.purpose import Purpose, PurposeTable
from mintkey.reading import read_claims, template_of
from mintkey.replay.base import ReplayStore
from mintkey.spending import Mark, Spender
from mintkey.tokens import Found, PeekedToken, VerifiedToken, seen

__all__ = ["TokenVerifier"]

C = TypeVar("C")

_NO_SCOPES: tuple[str, ...] = ()
"""What `verify` asks for where its caller says nothing, and tells from other empty ones: most callers say nothing."""


class TokenVerifier:
    """Verifies, spends and revokes tokens; needs no private key.

    Args:
        issuer: The only `iss` that is accepted, compared whole (RFC 7519 §4.1.1).
        keys: Finds the key of a kid.
        replay: Remembers what was spent and revoked; needed by single-use and revocable purposes.
        clock: Where time comes from; by default the machine's.
        hooks: Told of every outcome.
        cache: Lets tokens for many uses skip the signature when they come again; by default none is kept.
        max_token_bytes: A longer token is refused unread.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        ```python
        async with TokenVerifier(issuer="https://myapp.example", keys=StaticKeyResolver(jwks), replay=store) as tokens:
            used = await tokens.verify(token, LOGIN)
        ```
    """

    def __init__(
        self,
        *,
        issuer: str,
        keys: KeyResolver,
        replay: ReplayStore | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        cache: VerificationCache | None = None,
        max_token_bytes: int = 16_384,
    ) -> None:
        problems: list[str] = []
        if not issuer:
            problems.append("issuer must not be empty")
        if max_token_bytes < 1:
            problems.append("max_token_bytes must be positive")
        ConfigurationError.raise_if(f"{type(self).__name__}: {problem}" for problem in problems)
        speed.load()
        self._issuer = issuer
        self._keys = keys
        self._at_hand = keys_of(keys)
        self._replay = replay
        self._clock: Clock = SystemClock() if clock is None else clock
        self._time = self._clock.time
        self._hooks = tuple(hooks)
        self._cache = cache
        self._max_token_bytes = max_token_bytes
        self._spender = None if replay is None else Spender(replay, issuer=issuer)
        self._openings = Openings()
        self._all_is_open = False
        self._known_headers = HeaderCache()
        self._pace = Pace()
        self._templates: PurposeTable[ClaimsTemplate] = PurposeTable(
            lambda purpose: _template_for(purpose, issuer, has_store=replay is not None)
        )
        if self._hooks and isinstance(keys, Announcing):
            keys.announce_to(self._hooks, of=self)

    async def peek(self, token: str, purpose: Purpose[C], /, *, scopes: Collection[str] = ()) -> PeekedToken[C]:
        """Every check, nothing spent: what a GET handler calls, so that link scanners spend nothing.

        A spent or revoked token is refused here too; a reservation by somebody else does not matter.

        Args:
            token: The compact JWS.
            purpose: What it must be for.
            scopes: Scopes that the token must have, all of them, whole.

        Raises:
            InvalidTokenError: The token is to blame; the reason says how.
            BackendError: Keys or marks cannot be read: nobody knows (`keys_unavailable`, `replay_unavailable`).
            ConfigurationError: A stateful purpose without a store (`configuration`).
        """
        if isinstance(scopes, str):
            raise _one_string()
        try:
            found = await self._authentic(token, purpose)
            admit(found[0], purpose.rules, self._time(), scopes)
            claims = purpose.codec.decode(found[4])
            if purpose.stateful:
                await self._spender_for(purpose).look(found[0], purpose)
        except (InvalidTokenError, BackendError) as error:
            self._reject(purpose, error)
            raise
        peeked: PeekedToken[C] = seen(PeekedToken, found, claims)
        return peeked

    async def verify(
        self, token: str, purpose: Purpose[C], /, *, scopes: Collection[str] = _NO_SCOPES
    ) -> VerifiedToken[C]:
        """Every check; then, for a single-use purpose, the token is spent: of any number of callers one gets it.

        Args:
            token: The compact JWS.
            purpose: What it must be for.
            scopes: Scopes that the token must have, all of them, whole.

        Raises:
            InvalidTokenError: The token is to blame; it was not spent by this call.
            BackendError: Keys or marks cannot be read or written: nobody gets in (`keys_unavailable`,
                `replay_unavailable`, `replay_outcome_unknown`, `token_reserved`).
            ConfigurationError: A stateful purpose without a store (`configuration`).
        """
        if scopes is not _NO_SCOPES and isinstance(scopes, str):
            raise _one_string()
        try:
            if self._cache is None or (known := self._cache.get(token, purpose, self)) is None:
                found = await self._authentic(token, purpose)
                private = found[4]
            else:
                found, private = known
                if self._at_hand(found[2]) is None:
                    await self._keys.resolve(found[2])
            admit(found[0], purpose.rules, self._time(), scopes)
            claims = purpose.codec.decode(private)
            if purpose.stateful:
                spender = self._spender_for(purpose)
                if purpose.single_use:
                    await spender.claim(found[0], purpose, owner=ids.new_id())
                else:
                    await spender.look(found[0], purpose)
        except (InvalidTokenError, BackendError) as error:
            self._reject(purpose, error)
            raise
        if self._hooks:
            self._tell(Verified(purpose=purpose.name, key_id=found[2]))
            if purpose.single_use:
                self._tell(Spent(purpose=purpose.name, key_id=found[2]))
        verified: VerifiedToken[C] = seen(VerifiedToken, found, claims)
        return verified

    def redeem(
        self,
        token: str,
        purpose: Purpose[C],
        /,
        *,
        scopes: Collection[str] = (),
        lease: timedelta = timedelta(seconds=30),
    ) -> AbstractAsyncContextManager[VerifiedToken[C]]:
        """Every check and a reservation; spent if the block succeeds, given back if it raises.

        A cancelled block and a crash leave the reservation to its lease: nobody can know how far the work got.

        Args:
            token: The compact JWS.
            purpose: A single-use purpose.
            scopes: Scopes that the token must have, all of them, whole.
            lease: For how long others are kept out; longer than the block may take.

        Raises:
            InvalidTokenError: As for `verify`; on leaving, `replayed` if the lease ran out and somebody else took the
                token, `revoked` if it was revoked meanwhile.
            BackendError: As for `verify`; on leaving, `replay_outcome_unknown` if the spending may not be remembered.
            ConfigurationError: The purpose is not for single use, there is no store, or the lease is not positive
                (`configuration`).

        Example:
            ```python
            async with tokens.redeem(token, PAYMENT) as approved:
                await charge_the_card(approved.subject)
            ```
        """
        if isinstance(scopes, str):
            raise _one_string()
        if not purpose.single_use:
            raise ConfigurationError(f"{purpose.name}: redeem is for single-use purposes, use verify")
        if lease <= timedelta(0):
            raise ConfigurationError("redeem: lease must be positive")
        return self._redeem(token, purpose, scopes, lease)

    async def revoke(self, token: str, purpose: Purpose[Any], /) -> None:
        """Refuse a token from now on. It is verified first, so that nobody revokes what he does not hold.

        A token that is expired or spent is fine.

        Raises:
            InvalidTokenError: The token is not authentic, or not of this purpose.
            BackendError: Keys or marks cannot be read or written.
            ConfigurationError: The purpose is neither single-use nor revocable, or there is no store (`configuration`).
        """
        spender = self._revoker_for(purpose)
        try:
            registered, *_ = await self._authentic(token, purpose)
        except (InvalidTokenError, BackendError) as error:
            self._reject(purpose, error)
            raise
        name, _, expires_at = spender.mark(registered, purpose)
        if self._clock.time() < expires_at.timestamp():
            await spender.revoke(name, expires_at=expires_at)
        self._tell(Revoked(purpose=purpose.name, what="token"))

    async def revoke_id(self, token_id: str, purpose: Purpose[Any], /, *, expires_at: datetime) -> None:
        """Refuse the token of this id from now on, without having the token.

        Args:
            token_id: Its `jti`, as `MintedToken.id` has it.
            purpose: What it is for.
            expires_at: Its `exp`, an aware datetime: for so long the revocation is remembered.

        Raises:
            ConfigurationError: The purpose is neither single-use nor revocable, there is no store, or the time is naive
                (`configuration`).
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        spender = self._revoker_for(purpose)
        if expires_at.tzinfo is None:
            raise ConfigurationError("revoke_id: expires_at must be an aware datetime")
        await self._open_for(purpose)
        await spender.revoke(spender.mark_name(token_id, purpose), expires_at=expires_at + purpose.leeway)
        self._tell(Revoked(purpose=purpose.name, what="id"))

    async def revoke_subject(self, subject: str, purpose: Purpose[Any], /, *, before: datetime | None = None) -> None:
        """Refuse everything of a subject that was issued before an instant.

        Issue times are whole seconds. Without `before`, everything up to and including the current second is refused:
        the safe side, so wait for the next second before minting anew.

        Args:
            subject: The `sub`.
            purpose: A revocable purpose.
            before: Tokens issued before it are refused, an aware datetime.

        Raises:
            ConfigurationError: The purpose is not revocable, there is no store, or the time is naive (`configuration`).
            UnsupportedOperationError: The store keeps no cut-offs per subject (`unsupported`).
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        if not purpose.revocable:
            raise ConfigurationError(f"{purpose.name}: revoking per subject needs Purpose(revocable=True)")
        spender = self._spender_for(purpose)
        if before is None:
            before = from_timestamp(int(self._clock.time()) + 1)
        elif before.tzinfo is None:
            raise ConfigurationError("revoke_subject: before must be an aware datetime")
        await self._open_for(purpose)
        await spender.cut_off(subject, purpose, before=before)
        self._tell(Revoked(purpose=purpose.name, what="subject"))

    async def __aenter__(self) -> Self:
        await self._openings.enter(self._keys)
        if self._replay is not None:
            try:
                await self._openings.enter(self._replay)
            except BaseException:
                await self._openings.leave_all()
                raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take back what this service opened, keys and store; closing twice does nothing."""
        self._all_is_open = False
        await self._openings.leave_all()

    async def _open_for(self, purpose: Purpose[Any]) -> None:
        # A service that nobody entered opens what a call needs, once.
        if self._keys not in self._openings:
            await self._openings.enter(self._keys)
        if purpose.stateful and self._replay is not None:
            await self._openings.enter(self._replay)
        self._all_is_open = self._replay is None or self._replay in self._openings

    async def _authentic(self, token: str, purpose: Purpose[Any]) -> Found:
        """What a token says, once its signature was found good."""
        # First: a mistake of ours is told before anything is said about the token.
        template = self._templates.find(id(purpose)) or self._templates.add(purpose)
        if not self._all_is_open:
            await self._open_for(purpose)
        pace = self._pace
        pace.free -= 1
        if pace.free < 0 and pace.is_over():
            await pace.rest()
        signed, segment, payload, signature = split(token, self._max_token_bytes)
        known = self._known_headers.find(segment)
        alg, kid, typ, headers = read_own_header(segment, purpose.headers) if known is None else known
        key = self._at_hand(kid)
        authenticate(alg, await self._keys.resolve(kid) if key is None else key, signed, signature)
        if known is None:
            self._known_headers.remember(segment, Header(alg, kid, typ, headers))
        if typ != purpose.typ and not same_typ(typ, purpose.typ):
            raise PurposeMismatchError("the token was minted for another purpose")
        registered, private = template.recognise(payload) or read_claims(payload, purpose, issuer=self._issuer)
        found = registered, purpose.name, kid, headers, private
        if self._cache is not None and not purpose.single_use:
            self._cache.put(token, purpose, self, found)
        return found

    @asynccontextmanager
    async def _redeem(
        self, token: str, purpose: Purpose[C], scopes: Collection[str], lease: timedelta
    ) -> AsyncGenerator[VerifiedToken[C], None]:
        owner, spender = ids.new_id(), self._spender_for(purpose)
        try:
            found = await self._authentic(token, purpose)
            admit(found[0], purpose.rules, self._time(), scopes)
            claims = purpose.codec.decode(found[4])
            mark = await spender.claim(found[0], purpose, owner=owner, lease=lease)
        except (InvalidTokenError, BackendError) as error:
            self._reject(purpose, error)
            raise
        self._tell(Verified(purpose=purpose.name, key_id=found[2]))
        try:
            yield seen(VerifiedToken, found, claims)
        except Exception:
            await self._give_back(spender, mark, owner, purpose)
            raise
        try:
            await spender.commit(mark, owner=owner)
        except (InvalidTokenError, BackendError) as error:
            self._reject(purpose, error)
            raise
        self._tell(Spent(purpose=purpose.name, key_id=found[2]))

    async def _give_back(self, spender: Spender, mark: Mark, owner: str, purpose: Purpose[Any]) -> None:
        try:
            await spender.release(mark, owner=owner)
        except BackendError as error:
            # The block's own error matters more; the lease gives the token back a little later.
            self._tell(BackendDegraded(purpose=purpose.name, reason=error.reason))

    def _spender_for(self, purpose: Purpose[Any]) -> Spender:
        if self._spender is None:
            raise _no_store(purpose)
        return self._spender

    def _revoker_for(self, purpose: Purpose[Any]) -> Spender:
        if not purpose.stateful:
            raise ConfigurationError(f"{purpose.name}: revoking needs Purpose(revocable=True) or single_use=True")
        return self._spender_for(purpose)

    def _reject(self, purpose: Purpose[Any], error: MintkeyError) -> None:
        self._tell(Rejected(purpose=purpose.name, reason=error.reason))

    def _tell(self, event: Event) -> None:
        if self._hooks:
            emit(self._hooks, event)


def _template_for(purpose: Purpose[Any], issuer: str, *, has_store: bool) -> ClaimsTemplate:
    if purpose.stateful and not has_store:
        raise _no_store(purpose)
    return template_of(purpose, issuer=issuer)


def _no_store(purpose: Purpose[Any]) -> ConfigurationError:
    return ConfigurationError(
        f"{purpose.name}: a single-use or revocable purpose needs a store: pass replay= to the service"
    )


def _one_string() -> ConfigurationError:
    return ConfigurationError("scopes must be a collection of scopes, not one string")
