"""Processes that share one database: `python -m tests.support.sql_workers TASK PLACE …`, a file or a URL."""

import random
import resource
from collections import Counter
from datetime import UTC, datetime, timedelta

import anyio

from mintkey.errors import KeyProviderError, Reason, ReplayStoreError
from mintkey.ids import new_id
from mintkey.keys.base import SigningGrant
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer
from mintkey.keys.sql import SQLKeyProvider
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.base import ClaimOutcome
from mintkey.replay.sql import SQLReplayStore
from tests.support.processes import perform, say

SEALER = Sealer([bytes(range(32))])
_PATIENCE = timedelta(seconds=30)


def url_of(place: str) -> str:
    return place if "://" in place else f"sqlite:///{place}"


async def claim(store: SQLReplayStore, key: str) -> ClaimOutcome:
    now = datetime.now(UTC)
    return await store.claim(key, owner=new_id(), issued_at=now, expires_at=now + timedelta(minutes=10))


async def spend(place: str, count: str) -> object:
    """The keys that this process got, of those that all processes want."""
    keys = [f"key {number}" for number in range(int(count))]
    random.shuffle(keys)
    won: list[str] = []

    async def try_one(store: SQLReplayStore, key: str) -> None:
        if await claim(store, key) is ClaimOutcome.ACCEPTED:
            won.append(key)

    async with SQLReplayStore(url_of(place), timeout=_PATIENCE, fence=False) as store:
        for at in range(0, len(keys), 4):
            async with anyio.create_task_group() as tasks:
                for key in keys[at : at + 4]:
                    tasks.start_soon(try_one, store, key)
    return won


async def spend_for_ever(place: str) -> object:
    """Say what was spent, until somebody kills us."""
    async with SQLReplayStore(url_of(place), fence=False) as store:
        number = 0
        while True:
            await claim(store, f"key {number}")
            say(f"key {number}")
            number += 1


async def fill(place: str) -> object:
    """Spend until no file may grow any more; what was said then, and what is said when it may again."""
    reasons: list[str] = []
    accepted: list[str] = []
    async with SQLReplayStore(url_of(place), fence=False) as store:
        await claim(store, "first")
        # Python ignores SIGXFSZ: a write beyond the limit is an error, as on a full disk.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        while not reasons:
            key = f"{len(accepted)} {'x' * 1000}"
            try:
                await claim(store, key)
                accepted.append(key)
            except ReplayStoreError as error:
                reasons.append(error.reason)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        after = [await claim(store, key) for key in ("last", *accepted[-1:])]
    return {"reasons": reasons, "accepted": len(accepted), "after": after}


async def reserve(place: str, want: str, limit: str) -> object:
    """Reserve until nothing is left."""
    granted = 0
    async with SQLKeyRingStore(url_of(place), timeout=_PATIENCE) as store:
        while count := await store.reserve("default", "kid", want=int(want), limit=int(limit)):
            granted += count
    return granted


async def reserve_and_return(place: str, want: str, back: str, limit: str) -> object:
    """Reserve until nothing is left, and every other time give some of it back at once; how much was kept."""
    kept = turns = 0
    async with SQLKeyRingStore(url_of(place), timeout=_PATIENCE) as store:
        while count := await store.reserve("default", "kid", want=int(want), limit=int(limit)):
            kept += count
            turns += 1
            if turns % 2 and count > int(back):
                await store.give_back("default", "kid", count=int(back))
                kept -= int(back)
    return kept


async def reserve_for_ever(place: str, want: str, limit: str) -> object:
    """Say what was granted, until somebody kills us."""
    async with SQLKeyRingStore(url_of(place), timeout=_PATIENCE) as store:
        while True:
            say(str(await store.reserve("default", "kid", want=int(want), limit=int(limit))))


async def append(place: str, letter: str, times: str) -> object:
    """Append a letter to the document, so many times."""
    async with SQLKeyRingStore(url_of(place), timeout=_PATIENCE) as store:
        for _ in range(int(times)):
            while True:
                stored = await store.load("default")
                assert stored is not None
                document = stored.document + letter.encode()
                if await store.compare_and_swap("default", expected=stored.revision, document=document):
                    break
    return None


async def acquire(provider: SQLKeyProvider) -> SigningGrant:
    """A grant, asked for again while others keep the file busy: SQLite lets writers in by chance and not in turn."""
    with anyio.fail_after(_PATIENCE.total_seconds()):
        while True:
            try:
                return await provider.acquire()
            except KeyProviderError as error:
                if error.reason is not Reason.KEYS_UNAVAILABLE:
                    raise


async def first_key(place: str) -> object:
    """The kid that signs, from whoever opened the database first."""
    async with SQLKeyProvider(url_of(place), sealer=SEALER) as provider:
        return (await acquire(provider)).key.kid


async def mint(place: str, times: str, cap: str) -> object:
    """Take leave to sign so many tokens from versions with a cap."""
    policy = RotationPolicy(every=None, max_mints=int(cap), publish_ahead=timedelta(0))
    kids: Counter[str] = Counter()
    async with SQLKeyProvider(url_of(place), policy=policy, sealer=SEALER) as provider:
        for _ in range(int(times)):
            grant = await acquire(provider)
            kids[grant.key.kid] += grant.count
    return kids


if __name__ == "__main__":
    perform(
        {
            task.__name__: task
            for task in (
                spend,
                spend_for_ever,
                fill,
                reserve,
                reserve_and_return,
                reserve_for_ever,
                append,
                first_key,
                mint,
            )
        }
    )
