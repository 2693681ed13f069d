"""The families of refresh tokens in their store: read, and replaced by compare-and-swap."""

from datetime import datetime
from math import floor
from typing import Any, NamedTuple

from mintkey.clock import from_timestamp
from mintkey.errors import ReplayStoreError
from mintkey.purpose import Purpose
from mintkey.refresh.family import Family, decode, encode
from mintkey.replay.base import FamilyStore
from mintkey.replay.marks import MarkNamer

__all__ = ["Families", "Held"]


class Held(NamedTuple):
    """A family as the store holds it.

    Attributes:
        family: What the document says.
        document: The document itself, which the next one is swapped for.
        is_provable: Whether nothing can have been forgotten since the token was issued that is asked about.
    """

    family: Family
    document: bytes
    is_provable: bool


class Families:
    """The families of one issuer and purpose.

    Args:
        store: Where their documents are.
        issuer: The tokens' `iss`.
        purpose: What the refresh tokens are for.
    """

    def __init__(self, store: FamilyStore, /, *, issuer: str, purpose: Purpose[Any]) -> None:
        self._store = store
        self._names = MarkNamer(issuer, purpose.name)
        self._lifetime = purpose.lifetime.total_seconds()
        self._leeway = purpose.leeway

    async def find(self, family_id: str, /, *, issued_at: datetime) -> Held | None:
        """The family; None if the store knows of none.

        Args:
            family_id: Its id, as its tokens have it.
            issued_at: When the token was issued that is asked about.

        Raises:
            ReplayStoreError: The store cannot answer, or its answer is none that we read (`replay_unavailable`).
        """
        found = await self._store.family(self._names.name(family_id), issued_at=issued_at)
        if found.document is None:
            return None
        try:
            return Held(decode(found.document), found.document, found.provable)
        except ValueError:
            pass  # says nothing that anybody needs
        raise ReplayStoreError("the document of a family was not written by this version of mintkey")

    async def put(self, family_id: str, family: Family, /, *, instead_of: Held | None) -> bool:
        """Write a family, if the store still holds what was found there; whether that was so.

        Raises:
            ReplayStoreError: The store cannot answer (`replay_unavailable`, `replay_outcome_unknown`).
        """
        # Nothing outlives its newest token, and who asks for what is forgotten gets nothing.
        last = from_timestamp(floor(family.issued_at) + family.lifetime(self._lifetime)) + self._leeway
        return await self._store.swap_family(
            self._names.name(family_id),
            expected=None if instead_of is None else instead_of.document,
            document=encode(family),
            expires_at=last,
        )
