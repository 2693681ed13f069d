"""Everything that a refresh token must be before its family is asked about it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mintkey.claims.registered import admit
from mintkey.clock import from_timestamp
from mintkey.errors import ConfigurationError
from mintkey.purpose import Purpose
from mintkey.refresh.session import Session, read_session
from mintkey.replay.base import ReplayStore
from mintkey.spending import Spender
from mintkey.tokens import Found
from mintkey.workings import ServiceWorkings

__all__ = ["Gate", "Presented"]


@dataclass(frozen=True, slots=True)
class Presented:
    """An authentic refresh token.

    Attributes:
        session: The session it is of.
        generation: How many refresh tokens the family had before it.
        id: Its `jti`.
        issued_at: Its `iat`.
        key_id: The `kid` of the version that signed it.
    """

    session: Session
    generation: int
    id: str
    issued_at: datetime
    key_id: str


class Gate:
    """Reads refresh tokens of one purpose that lead to access tokens of one other.

    Args:
        workings: Those of the service that verifies.
        store: Remembers what was revoked.
        access: What the access tokens are for.
        refresh: What the refresh tokens are for.
    """

    def __init__(
        self,
        workings: ServiceWorkings,
        store: ReplayStore,
        /,
        *,
        access: Purpose[Any],
        refresh: Purpose[dict[str, Any]],
    ) -> None:
        self._workings = workings
        self._spender = _Unhurried(store, issuer=workings.issuer)
        self._access = access
        self._refresh = refresh

    async def recognise(self, token: str, /) -> Presented:
        """What the token says, whatever its times and marks are.

        Raises:
            InvalidTokenError: It is not authentic, or no refresh token of this flow.
            KeyProviderError: Keys cannot be read (`keys_unavailable`).
        """
        return self._read(await self._workings.authentic(token, self._refresh))

    async def admit(self, token: str, /, *, scopes: Collection[str]) -> Presented:
        """What the token says, after every check but that of its family.

        Args:
            token: The compact JWS.
            scopes: Scopes that it must have, all of them.

        Raises:
            InvalidTokenError: As for `TokenService.verify`.
            BackendError: Keys or marks cannot be read (`keys_unavailable`, `replay_unavailable`).
            ConfigurationError: The scopes are one string (`configuration`).
        """
        if isinstance(scopes, str):
            raise ConfigurationError("scopes must be a collection of scopes, not one string")
        found = await self._workings.authentic(token, self._refresh)
        admit(found[0], self._refresh.rules, self._workings.clock.time(), scopes)
        if self._refresh.stateful:
            await self._spender.look(found[0], self._refresh)
        return self._read(found)

    def _read(self, found: Found) -> Presented:
        (_, subject, _, token_id, issued_at, _, _, scopes), _, key_id, _, claims = found
        session, generation = read_session(claims, subject=subject, scopes=scopes, access=self._access.name)
        return Presented(session, generation, token_id, from_timestamp(issued_at), key_id)


class _Unhurried(Spender):
    """Asks the store itself, and no cache in front of it.

    An answer that is some seconds old lets an access token live for some seconds too long. Here it would last: what is
    given out now is younger than the revocation that was missed, and nothing would ever refuse it.
    """

    def __init__(self, store: ReplayStore, *, issuer: str) -> None:
        super().__init__(store, issuer=issuer)
        self._looks = None
