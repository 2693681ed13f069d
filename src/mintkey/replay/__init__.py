"""Single use and revocation: what was spent, reserved or revoked, and where that is remembered."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.lazily import lazy_names
from mintkey.replay.base import (
    ClaimOutcome,
    ClaimStatus,
    FamilyStore,
    JointLookStore,
    Look,
    ReplayStore,
    RevocationStore,
    StoredFamily,
)

if TYPE_CHECKING:
    from mintkey.replay.memory import MemoryReplayStore
    from mintkey.replay.redis import RedisReplayStore
    from mintkey.replay.revocation_cache import RevocationCache
    from mintkey.replay.sql import SQLReplayStore

__all__ = [
    "ClaimOutcome",
    "ClaimStatus",
    "FamilyStore",
    "JointLookStore",
    "Look",
    "MemoryReplayStore",
    "RedisReplayStore",
    "ReplayStore",
    "RevocationCache",
    "RevocationStore",
    "SQLReplayStore",
    "StoredFamily",
]

__getattr__: Callable[[str], object] = lazy_names(
    __name__,
    {
        "MemoryReplayStore": "mintkey.replay.memory",
        "RedisReplayStore": "mintkey.replay.redis",
        "RevocationCache": "mintkey.replay.revocation_cache",
        "SQLReplayStore": "mintkey.replay.sql",
    },
)
