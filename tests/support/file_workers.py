"""Processes that share one directory of keys: `python -m tests.support.file_workers TASK PATH …`.

Each says "ready", waits for a line on its standard input, does its task, and prints what came of it as JSON.
"""

import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import anyio

from mintkey.keys.file import FileKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.stores.file import FileKeyRingStore
from mintkey.testing.clock import FakeClock


async def reserve(path: str, want: str, limit: str) -> object:
    """Reserve until nothing is left."""
    store, granted = FileKeyRingStore(path), 0
    while count := await store.reserve("default", "kid", want=int(want), limit=int(limit)):
        granted += count
    return granted


async def append(path: str, name: str, times: str) -> object:
    """Append a letter to the document, so many times."""
    store, lost = FileKeyRingStore(path), 0
    for _ in range(int(times)):
        while True:
            stored = await store.load("default")
            assert stored is not None
            document = stored.document + name.encode()
            if await store.compare_and_swap("default", expected=stored.revision, document=document):
                break
            lost += 1
    return lost


async def overwrite(path: str) -> object:
    """Write large documents until somebody kills us."""
    store = FileKeyRingStore(path)
    while True:
        stored = await store.load("default")
        assert stored is not None
        letter = b"%d" % (stored.revision % 10)
        await store.compare_and_swap("default", expected=stored.revision, document=letter * 300_000)


async def mint(path: str, times: str, cap: str) -> object:
    """Take leave to sign so many tokens from versions with a cap."""
    policy = RotationPolicy(every=None, max_mints=int(cap), publish_ahead=timedelta(0))
    kids: Counter[str] = Counter()
    async with FileKeyProvider(path, policy=policy) as provider:
        for _ in range(int(times)):
            grant = await provider.acquire()
            kids[grant.key.kid] += grant.count
    return kids


async def acquire_at(path: str, hours: str) -> object:
    """The kid that signs so many hours after the epoch of the tests, with a rotation every hour."""
    clock = FakeClock()
    clock.advance(timedelta(hours=int(hours)))
    policy = RotationPolicy(every=timedelta(hours=1), publish_ahead=timedelta(minutes=1))
    async with FileKeyProvider(path, policy=policy, clock=clock) as provider:
        return (await provider.acquire()).key.kid


TASKS: Mapping[str, Callable[..., Awaitable[object]]] = {
    task.__name__: task for task in (reserve, append, overwrite, mint, acquire_at)
}


def main() -> None:
    task, *arguments = sys.argv[1:]
    _say("ready")
    sys.stdin.readline()
    _say(json.dumps(anyio.run(TASKS[task], *arguments)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
