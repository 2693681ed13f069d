"""From a family to the pair of tokens that is its newest: the same family, the same ids and times."""

from collections.abc import Collection
from datetime import timedelta
from math import floor
from typing import Any, Generic, TypeVar

from mintkey import ids
from mintkey.issuing import Draft, Form
from mintkey.purpose import Purpose
from mintkey.reading import template_of
from mintkey.refresh.family import Family, access_id
from mintkey.refresh.pair import TokenPair
from mintkey.refresh.session import Session, claims_of
from mintkey.workings import ServiceWorkings

__all__ = ["PairMint"]

A = TypeVar("A")
C = TypeVar("C")


class PairMint(Generic[A]):
    """Mints the newest pair of a family, however often it is asked for.

    Args:
        workings: Those of the service that mints.
        access: What the access tokens are for.
        refresh: What the refresh tokens are for.
    """

    def __init__(self, workings: ServiceWorkings, /, *, access: Purpose[A], refresh: Purpose[dict[str, Any]]) -> None:
        self._workings = workings
        self._access = access
        self._refresh = refresh
        self._access_form = Form(access, template_of(access, issuer=workings.issuer))
        self._refresh_form = Form(refresh, template_of(refresh, issuer=workings.issuer))

    async def mint(
        self, session: Session, family: Family, /, *, claims: A | None = None, scopes: Collection[str] | None = None
    ) -> TokenPair:
        """The pair.

        Args:
            session: What the family's tokens say alike.
            family: Says which is the newest pair.
            claims: What this one access token says instead of what the session has; None: that.
            scopes: What this one access token is good for, instead of all that was granted; None: all.

        Raises:
            ClaimError: What the session has fits the access tokens' purpose no more (`claim_invalid`).
            ConfigurationError: Claims or scopes do not fit, or a token would be too long (`configuration`).
            KeyProviderError: As for `TokenService.mint`.
        """
        # An access token that says something else than its like is another token, so it has an id of its own.
        is_like_others = claims is None and scopes is None
        if claims is None and session.claims is not None:
            claims = self._access.codec.decode(dict(session.claims))
        access = self._draft(
            self._access,
            self._access_form,
            session,
            family,
            token_id=access_id(family.current) if is_like_others else ids.new_id(),
            claims=claims,
            scopes=session.scopes if scopes is None else tuple(sorted(scopes)),
        )
        # The refresh token keeps the whole grant (RFC 6749 §6).
        refresh = self._draft(
            self._refresh,
            self._refresh_form,
            session,
            family,
            token_id=family.current,
            claims=claims_of(session, generation=family.generation, access=self._access.name),
            scopes=session.scopes,
        )
        issued_at = floor(family.issued_at)
        return TokenPair(
            access=await self._workings.mint_at(access, self._access, issued_at),
            refresh=await self._workings.mint_at(refresh, self._refresh, issued_at),
            family=session.family,
        )

    def _draft(
        self,
        purpose: Purpose[C],
        form: Form[C],
        session: Session,
        family: Family,
        /,
        *,
        token_id: str,
        claims: C | None,
        scopes: tuple[str, ...],
    ) -> Draft:
        return form.fill(
            subject=session.subject,
            claims=claims,
            scopes=scopes,
            audience=None,
            lifetime=timedelta(seconds=family.lifetime(purpose.lifetime.total_seconds())),
            not_before=None,
            token_id=token_id,
            max_token_age=self._workings.keys.max_token_age,
        )
