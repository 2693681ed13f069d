"""Signing in, refreshing and signing out: each is one compare-and-swap of what is remembered of a family."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from math import floor
from typing import Any, Generic, TypeVar, cast

from mintkey import ids
from mintkey.clock import from_timestamp
from mintkey.errors import (
    BackendError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    NotYetValidError,
    Reason,
    ReplayStoreError,
    TokenReplayedError,
    TokenRevokedError,
)
from mintkey.events import Event, Rejected, ReuseDetected, Revoked, Verified
from mintkey.jose.header import same_typ
from mintkey.purpose import Purpose, names
from mintkey.refresh.families import Families, Held
from mintkey.refresh.family import Family, Standing
from mintkey.refresh.gate import Gate, Presented
from mintkey.refresh.pair import TokenPair
from mintkey.refresh.pairs import PairMint
from mintkey.refresh.session import Session
from mintkey.replay.base import FamilyStore
from mintkey.service import TokenService

__all__ = ["RefreshFlow"]

A = TypeVar("A")

_ATTEMPTS = 16
"""Whoever loses a compare-and-swap finds that others got on; only a broken store lets nobody get on so often."""

_ZERO = timedelta(0)


class RefreshFlow(Generic[A]):
    """Gives out pairs of an access and a refresh token, and the next pair for a refresh token (RFC 9700 §4.14.2).

    A refresh token is good for one exchange. All that come from one sign-in are a family, of which the store remembers
    a document of some hundred bytes and no token. Only `refresh` knows which of them is the newest: never accept a
    refresh token by `TokenService.verify`, and end a session by `revoke` and not by `TokenService.revoke`.

    **A token that comes again.** Tabs refresh at the same time, and phones lose answers. Within `grace` after its
    exchange a token gets the newest pair of its family once more, minted again with the same ids and times; also if the
    token that it was exchanged for has been exchanged meanwhile. So a client that lost an answer goes on with the
    newest token, and nobody gets what two exchanges in a row would not give him. After the window two hold what one
    should, and nobody can know which of them is the thief: the whole family is revoked, its newest token included, and
    `ReuseDetected` is told. A thief who is quick enough, or comes before the client, shares the family until one of the
    two refreshes later than `grace` after the other. As a rule that is when the next access token expires, so `grace`
    has to be shorter than these live: seconds.

    **How long a session lives.** By default for the refresh purpose's lifetime, counted from the sign-in, however often
    it is refreshed: then all its refresh tokens expire at the same moment. With a longer `family_lifetime` that is the
    end, and the purpose's lifetime is how long a session may be idle (absolute and idle timeout in the OWASP Session
    Management Cheat Sheet).

    **What may fail.** A store or a key provider that is away is an error that may be retried, and changes nothing. If
    the answer to an exchange is lost on the way, the same token may come again within `grace`; later it is reuse.
    Windows are measured by the clocks of all processes: choose a `grace` that is longer than these differ. A store that
    lost its memory refuses the sessions that it lost. Access tokens ask nobody: after `revoke` they live on until they
    expire, unless their purpose is revocable and you revoke them.

    Args:
        tokens: The service that mints and checks; its store must be a `FamilyStore`, as all of ours are.
        access: What access tokens are for.
        refresh: What refresh tokens are for, with plain claims, and not for single use: the family decides about that.
            `presets.REFRESH` is one. If it is revocable, `TokenService.revoke_subject` signs a user out everywhere.
        grace: For how long a token may come again after it was exchanged; zero: never, not even at the same moment.
        family_lifetime: How long a family lives from its sign-in; by default the refresh purpose's lifetime.

    Attributes:
        purpose: The name of the refresh purpose.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        >>> import anyio
        >>> from mintkey import presets
        >>> from mintkey.keys import MemoryKeyProvider
        >>> from mintkey.replay import MemoryReplayStore
        >>> API = presets.ACCESS.replace(audience="https://api.myapp.example")
        >>> async def sign_in_and_refresh() -> dict[str, str]:
        ...     async with TokenService(
        ...         issuer="https://myapp.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore()
        ...     ) as tokens:
        ...         flow = RefreshFlow(tokens, access=API, refresh=presets.REFRESH)
        ...         first = await flow.issue("20", claims={"role": "editor"}, scopes=["orders:read"])
        ...         second = await flow.refresh(first.refresh)
        ...         again = await flow.refresh(first.refresh)  # another tab, at the same time
        ...         assert (again.refresh.id, again.access.id) == (second.refresh.id, second.access.id)
        ...         return (await tokens.verify(second.access, API, scopes=["orders:read"])).claims
        >>> anyio.run(sign_in_and_refresh)
        {'role': 'editor'}
    """

    def __init__(
        self,
        tokens: TokenService,
        *,
        access: Purpose[A],
        refresh: Purpose[dict[str, Any]],
        grace: timedelta = timedelta(seconds=10),
        family_lifetime: timedelta | None = None,
    ) -> None:
        workings = tokens.workings
        lifetime = refresh.lifetime if family_lifetime is None else family_lifetime
        problems = [
            *_problems_of_purposes(access, refresh),
            *_problems_of_times(access, refresh, grace, lifetime),
            *_problems_of_keys(workings.keys.max_token_age, access, refresh),
        ]
        store, families = workings.replay, cast("object", workings.replay)
        if store is None or not isinstance(families, FamilyStore):
            problems.append("tokens needs a store that keeps families of refresh tokens: pass replay= to the service")
            raise _misfit(problems)
        if problems:
            raise _misfit(problems)
        self.purpose: str = refresh.name
        self._workings = workings
        self._access = access
        self._refresh = refresh
        self._grace = grace.total_seconds()
        self._leeway = refresh.leeway.total_seconds()
        self._lifetime = lifetime.total_seconds()
        self._families = Families(families, issuer=workings.issuer, purpose=refresh)
        self._gate = Gate(workings, store, access=access, refresh=refresh)
        self._pairs = PairMint(workings, access=access, refresh=refresh)

    async def issue(self, subject: str, *, claims: A | None = None, scopes: Collection[str] = ()) -> TokenPair:
        """The first pair of a new session: what a sign-in answers.

        Args:
            subject: The `sub` of all its tokens.
            claims: The private claims of its access tokens. The refresh tokens carry them, for everybody to read who
                holds one, so that the next pairs have them too.
            scopes: What is granted: the `scope` of all its tokens.

        Raises:
            ConfigurationError: An argument contradicts a purpose; all problems at once (`configuration`).
            KeyProviderError: As for `TokenService.mint`.
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        # First: what is issued before the store's memory begins could never be exchanged.
        await self._workings.open()
        carried = None if claims is None else self._access.codec.encode(claims)
        granted = tuple(sorted(names(scopes)))
        session = Session(family=ids.new_id(), subject=subject, scopes=granted, claims=carried)
        now = self._workings.clock.time()
        family = Family(0, ids.new_id(), issued_at=now, ends_at=floor(now) + self._lifetime)
        pair = await self._pairs.mint(session, family)
        if not await self._families.put(session.family, family, instead_of=None):
            raise ReplayStoreError("the store holds another family under an id that was drawn just now")
        return pair

    async def refresh(
        self, token: str, /, *, claims: A | None = None, scopes: Collection[str] | None = None
    ) -> TokenPair:
        """The next pair, for a refresh token that is spent by that.

        Args:
            token: The refresh token.
            claims: What the new access token says, and only this one, instead of what the session was issued with:
                roles that changed since. By default the session's.
            scopes: Fewer than were granted, for the new access token alone (RFC 6749 §6); by default all. An access
                token with claims or scopes of its own has an id of its own, too, when the refresh token comes again.

        Raises:
            TokenReplayedError: It was exchanged before, and its family is revoked now (`replayed`); or the store does
                not remember its family, or only an older state of it (`replay_unprovable`).
            TokenRevokedError: It, its family or everything of its subject was revoked (`revoked`).
            ExpiredTokenError: Its time is over, or its family's is (`expired`).
            InsufficientScopeError: `scopes` has one that was not granted (`insufficient_scope`).
            InvalidTokenError: As for `TokenService.verify`; a token that no flow minted is `claim_missing`, one that
                leads to access tokens of another purpose `purpose_mismatch`.
            BackendError: Keys or store cannot be used; nothing was exchanged, or nobody knows
                (`replay_outcome_unknown`). The same token may come again.
            ConfigurationError: `claims` do not fit the access purpose (`configuration`).
        """
        # Before it is asked who was revoked: what is revoked from then on, the new tokens are older than.
        began = self._workings.clock.time()
        await self._workings.open()
        try:
            shown = await self._gate.admit(token, scopes=() if scopes is None else scopes)
            pair = await self._exchange(shown, began, claims, scopes)
        except (InvalidTokenError, BackendError) as error:
            self._tell(Rejected(purpose=self._refresh.name, reason=error.reason))
            raise
        self._tell(Verified(purpose=self._refresh.name, key_id=shown.key_id))
        return pair

    async def revoke(self, token: str, /) -> None:
        """End a session: what signing out does. Any of its refresh tokens will do, expired and exchanged ones too.

        Raises:
            InvalidTokenError: It is not authentic, or no refresh token of this flow.
            BackendError: Keys or store cannot be used (`keys_unavailable`, `replay_unavailable`,
                `replay_outcome_unknown`).
        """
        await self._workings.open()
        try:
            shown = await self._gate.recognise(token)
        except (InvalidTokenError, BackendError) as error:
            self._tell(Rejected(purpose=self._refresh.name, reason=error.reason))
            raise
        await self.revoke_family(shown.session.family)

    async def revoke_family(self, family: str, /) -> None:
        """End a session without having a token of it: what a list of a user's devices offers.

        Args:
            family: `TokenPair.family`; one that the store does not know is over already.

        Raises:
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        await self._workings.open()
        for _ in range(_ATTEMPTS):
            held = await self._families.find(family, issued_at=from_timestamp(self._workings.clock.time()))
            if held is None or held.family.revoked_by:
                return
            if await self._revoke(family, held):
                self._tell(Revoked(purpose=self._refresh.name, what="family"))
                return
        raise _restless()

    async def _exchange(
        self, shown: Presented, began: float, claims: A | None, scopes: Collection[str] | None
    ) -> TokenPair:
        session = shown.session
        for _ in range(_ATTEMPTS):
            held = await self._families.find(session.family, issued_at=shown.issued_at)
            if held is None or not held.is_provable:
                raise _refusal(Standing.FORGOTTEN)
            standing = held.family.standing(
                shown.generation,
                shown.id,
                now=self._workings.clock.time(),
                grace=self._grace,
                leeway=self._leeway,
            )
            match standing:
                case Standing.CURRENT:
                    successor = held.family.refreshed(ids.new_id(), now=began, grace=self._grace)
                    # Minted first: keys that are away must not cost anybody his session.
                    pair = await self._pairs.mint(session, successor, claims=claims, scopes=scopes)
                    if await self._families.put(session.family, successor, instead_of=held):
                        return pair
                case Standing.REPEATED:
                    return await self._pairs.mint(session, held.family, claims=claims, scopes=scopes)
                case Standing.REUSED | Standing.FORGOTTEN:
                    if await self._revoke(session.family, held):
                        self._tell(_alarm(standing, self._refresh.name))
                        raise _refusal(standing)
                case _:
                    raise _refusal(standing)
        raise _restless()

    async def _revoke(self, family_id: str, held: Held) -> bool:
        return await self._families.put(family_id, held.family.revoked(ids.new_id()), instead_of=held)

    def _tell(self, event: Event) -> None:
        self._workings.tell(event)


def _problems_of_purposes(access: Purpose[Any], refresh: Purpose[Any]) -> Iterator[str]:
    if same_typ(access.typ, refresh.typ) or access.name == refresh.name:
        yield "access and refresh must differ in name and typ, or one would pass for the other"
    if access.single_use:
        yield "access must not be for single use: an access token is shown with every request"
    if refresh.single_use:
        yield "refresh must not be for single use: a mark would refuse what comes again within grace"
    if refresh.claims is not dict:
        yield "refresh must have plain claims (dict): what they say is up to the flow"


def _problems_of_times(
    access: Purpose[Any], refresh: Purpose[Any], grace: timedelta, family_lifetime: timedelta
) -> Iterator[str]:
    if access.lifetime > refresh.lifetime:
        yield f"access.lifetime {access.lifetime} must not be longer than refresh.lifetime {refresh.lifetime}"
    if family_lifetime < refresh.lifetime:
        yield f"family_lifetime must not be shorter than refresh.lifetime {refresh.lifetime}"
    if not _ZERO <= grace < access.lifetime:
        yield f"grace must be between zero and access.lifetime {access.lifetime}, or no reuse would ever be noticed"


def _problems_of_keys(longest: timedelta | None, *purposes: Purpose[Any]) -> Iterator[str]:
    for purpose in purposes:
        if longest is not None and purpose.lifetime + purpose.leeway > longest:
            yield (
                f"{purpose.name}: lifetime {purpose.lifetime} plus leeway {purpose.leeway} outlives the keys' "
                f"RotationPolicy.previous_ttl of {longest}: shorten it, or raise previous_ttl"
            )


def _misfit(problems: Collection[str]) -> ConfigurationError:
    return ConfigurationError.of(f"RefreshFlow: {problem}" for problem in problems)


def _alarm(standing: Standing, purpose: str) -> Event:
    return ReuseDetected(purpose=purpose) if standing is Standing.REUSED else Revoked(purpose=purpose, what="family")


def _refusal(standing: Standing) -> InvalidTokenError:
    match standing:
        case Standing.REVOKED:
            return TokenRevokedError("the refresh token's family was revoked")
        case Standing.ENDED:
            return ExpiredTokenError("the refresh token's family has come to its end", claim="exp")
        case Standing.EARLY:
            return NotYetValidError("the refresh token was exchanged in the future", claim="iat")
        case Standing.REUSED:
            return TokenReplayedError("the refresh token was exchanged before; its family is revoked now")
        case _:
            return TokenReplayedError(
                "the store does not remember what became of the refresh token", reason=Reason.REPLAY_UNPROVABLE
            )


def _restless() -> ReplayStoreError:
    return ReplayStoreError("the family of the refresh token changes all the time")
