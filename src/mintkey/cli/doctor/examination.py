"""Looks at keys and marks. Makes nothing: no key, no table, no file, no beginning of a memory."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from enum import StrEnum

import anyio

from mintkey.cli.doctor.looking_store import LookingStore
from mintkey.cli.settings import Settings
from mintkey.cli.store import Place, naming_settings
from mintkey.errors import BackendError, MintkeyError
from mintkey.health import Check
from mintkey.keys.base import KeyVersion
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.sealing import Plaintext
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.places import kind_of, marks_database_of, replay_store_of, ring_store_of
from mintkey.service import TokenService

__all__ = ["Examination", "RingState", "examine"]

_ABOUT_A_RING = frozenset({"keys", "keys.ring", "keys.rotation", "keys.successor"})
_RINGS, _MARKS = "mintkey_rings", "mintkey_marks"


class RingState(StrEnum):
    """Whether there is a ring."""

    THERE = "there"
    NONE = "none"
    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found.

    Attributes:
        ring: Whether there is a ring.
        checks: As `Health.checks`, as far as there was something to check.
        versions: The versions of the ring, newest first.
        trouble: What the store or the ring said when it could not be read.
    """

    ring: RingState
    checks: Mapping[str, Check]
    versions: Sequence[KeyVersion] = ()
    trouble: str | None = None


async def examine(settings: Settings, place: Place, /) -> Examination:
    """Look at everything there is at a place.

    Args:
        settings: What the operator set.
        place: Where, as `find_place` says.

    Raises:
        ConfigurationError: The settings do not fit, or a file is not as safe as it must be (`configuration`).
        MissingExtraError: A driver is not installed (`extra_missing`).
    """
    directory = None if place.database is None or settings.store is None else place.database.parent
    if directory is not None and not await anyio.Path(directory).is_dir():
        return _away("missing", f"there is no directory {directory}")
    try:
        tables = await _tables_at(place.url)
        async with AsyncExitStack() as stack:
            keys, service = await _built(stack, settings, place, tables)
            if not place.holds_ring:
                found = {name: check for name, check in (await _checks(service)).items() if name.startswith("replay")}
                return Examination(ring=RingState.UNUSED, checks=found)
            if await keys.workings.access.load() is None:
                checks = await _checks(service)
                found = {name: check for name, check in checks.items() if name not in _ABOUT_A_RING}
                return Examination(ring=RingState.NONE, checks=found)
            return await _examine_ring(keys, service)
    except BackendError as error:
        return _away(error.reason, str(error))


async def _examine_ring(keys: RotatingKeyProvider, service: TokenService) -> Examination:
    checks = await _checks(service)
    try:
        return Examination(ring=RingState.THERE, checks=checks, versions=await keys.versions())
    except MintkeyError as error:
        return Examination(ring=RingState.THERE, checks=checks, trouble=str(error))


async def _checks(service: TokenService) -> dict[str, Check]:
    """All about the keys, then all about the marks."""
    found = (await service.health()).checks
    return {name: found[name] for name in sorted(found, key=lambda name: name.partition(".")[0])}


async def _built(
    stack: AsyncExitStack, settings: Settings, place: Place, tables: frozenset[str] | None
) -> tuple[RotatingKeyProvider, TokenService]:
    """Keys that cannot be changed, and a service on them with marks that are only looked at."""
    # Unfenced: otherwise a look would begin the memory of a store that has none, and claim that it is complete.
    replay = replay_store_of(place.url, fence=False)
    await stack.enter_async_context(aclosing(replay))
    is_empty = not place.holds_ring or (kind_of(place.url) == "sql" and _RINGS not in (tables or ()))
    store: KeyRingStore = MemoryKeyRingStore() if is_empty else ring_store_of(place.url)  # reading would make the table
    sealer = place.sealer or Plaintext()
    with naming_settings():
        keys = RotatingKeyProvider(
            LookingStore(store),
            custodian=SealedCustodian(sealer, ring=settings.ring),
            sealer=sealer,
            ring=settings.ring,
            algorithm=settings.algorithm,
            policy=settings.policy,
            refresh_interval=settings.refresh_interval,
            outage_tolerance=settings.outage_tolerance,
            max_clock_skew=settings.max_clock_skew,
        )
    await stack.enter_async_context(aclosing(keys))
    has_marks = tables is None or _MARKS in tables
    issuer = settings.issuer or "doctor"  # nothing is minted or verified here
    return keys, TokenService(issuer=issuer, keys=keys, replay=replay if has_marks else None)


async def _tables_at(url: str) -> frozenset[str] | None:
    """Our tables where keys and marks lie in SQL databases; None if they do not."""
    database = marks_database_of(url)
    if database is None:
        return None
    from mintkey.sql.presence import tables_at  # noqa: PLC0415 - an extra, needed for some kinds alone

    return await tables_at(database)


def _away(word: str, trouble: str) -> Examination:
    return Examination(
        ring=RingState.UNKNOWN, checks={"keys.store": Check(ok=False, word=word, figure=0)}, trouble=trouble
    )
