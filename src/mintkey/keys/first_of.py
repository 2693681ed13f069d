"""Several sources of keys as one, asked in order."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from math import inf
from typing import Protocol, runtime_checkable

import anyio

from mintkey.errors import BackendError, ConfigurationError, KeyNotFoundError, KeyRevokedError, Reason
from mintkey.keys.at_hand import keys_of
from mintkey.keys.base import KeyResolver, KeysAtHand, VerificationKey
from mintkey.lifecycle import Resource
from mintkey.opening import Openings

__all__ = ["FirstOfKeyResolver"]

_PATIENCE = 0.1  # seconds of real time that a source may take while a later one has the key at hand


class FirstOfKeyResolver(Resource):
    """A `KeyResolver` over several: the first that has a key answers.

    An outage of one source hides no key of another, and is never taken for an unknown key: only if all of them say that
    they do not know it is the token to blame.

    A source that knows a key as revoked has the last word, and later ones are not asked: where a ring moved and its old
    place still holds the key, the revocation must not be undone by asking there. So put first who knows best.

    A key that a source has at hand waits for no other source: a JWK Set is not searched for a key that a later source
    has at hand, and any other source has a tenth of a second then to say that it was revoked.

    Entering it enters the sources, leaving it leaves them.

    Args:
        resolvers: The sources, in the order in which they are asked.

    Raises:
        ConfigurationError: There is none (`configuration`).

    Example:
        >>> from mintkey.keys import StaticKeyResolver
        >>> def source(kid):
        ...     jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid}
        ...     return StaticKeyResolver({"keys": [jwk]})
        >>> import asyncio
        >>> asyncio.run(FirstOfKeyResolver(source("a"), source("b")).resolve("b")).kid
        'b'
    """

    def __init__(self, *resolvers: KeyResolver) -> None:
        if not resolvers:
            raise ConfigurationError("FirstOfKeyResolver: give it at least one resolver")
        self._sources = tuple(_Source(resolver) for resolver in resolvers)
        self._openings = Openings()

    def __repr__(self) -> str:
        return f"<FirstOfKeyResolver of {len(self._sources)}>"

    @property
    def may_revoke(self) -> bool:
        """Whether one of the sources can know a key as revoked."""
        return any(source.may_revoke for source in self._sources)

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed.

        Raises:
            KeyNotFoundError: No source has it (`key_unknown`, or `key_retired` if one of them had it once).
            KeyRevokedError: It was revoked by a source that comes before all those that have it (`key_revoked`).
            BackendError: No source has it, and at least one could not be asked; the error of the first of these.
        """
        await self._enter_all()
        missing, outage = KeyNotFoundError("no source has a key of this kid"), None
        for place, source in enumerate(self._sources):
            if (key := source.at_hand(kid)) is not None:
                return key
            is_elsewhere = any(later.at_hand(kid) is not None for later in self._sources[place + 1 :])
            if is_elsewhere and not source.may_revoke:
                continue
            try:
                with anyio.move_on_after(_PATIENCE if is_elsewhere else inf):
                    return await source.resolver.resolve(kid)
            except KeyRevokedError:
                raise
            except KeyNotFoundError as error:
                missing = error if error.reason is Reason.KEY_RETIRED else missing
            except BackendError as error:
                outage = outage or error
        raise outage or missing

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        """The key that verifies what this kid signed, if no source before it could know it as revoked."""
        for source in self._sources:
            key = source.at_hand(kid)
            if key is not None or source.may_revoke:
                return key
        return None

    async def _open(self) -> None:
        try:
            await self._enter_all()
        except BaseException:
            await self._openings.leave_all()
            raise

    async def _enter_all(self) -> None:
        for source in self._sources:
            if source not in self._openings:
                await self._openings.enter(source)

    async def _close(self) -> None:
        await self._openings.leave_all()


@runtime_checkable
class _Revoking(Protocol):
    """What tells a provider, which revokes keys, from a mere list of them."""

    revoke: Callable[..., object]


class _Source(Resource):
    """One resolver, how it may be asked, and whether we entered it."""

    def __init__(self, resolver: KeyResolver, /) -> None:
        self.resolver = resolver
        self.at_hand: Callable[[str], VerificationKey | None] = keys_of(resolver)
        # Who answers nothing at hand may be anybody, so it is asked.
        self.may_revoke: bool = (
            resolver.may_revoke
            if isinstance(resolver, FirstOfKeyResolver)
            else isinstance(resolver, _Revoking) or not isinstance(resolver, KeysAtHand)
        )
        self._is_entered = False

    async def _open(self) -> None:
        if isinstance(self.resolver, AbstractAsyncContextManager):
            manager: AbstractAsyncContextManager[object] = self.resolver
            # One that is away must not keep the others from their work; it opens what it needs when it is asked.
            with suppress(BackendError):
                await manager.__aenter__()
                self._is_entered = True

    async def _close(self) -> None:
        was_entered, self._is_entered = self._is_entered, False
        if isinstance(self.resolver, Resource) and not was_entered:
            await self.resolver.aclose_unless_open()
        else:
            await self.resolver.aclose()
