"""One directory of keys, several real processes: nothing is lost, nothing counted twice, and a kill breaks nothing."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mintkey.keys.file import FileKeyProvider
from mintkey.keys.stores.file import FileKeyRingStore

ROOT = Path(__file__).parents[2]
PROCESSES = 4


@contextmanager
def workers(*commands: tuple[object, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are all ready before any of them begins."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.file_workers", *map(str, command)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def results(*commands: tuple[object, ...]) -> list[Any]:
    """What came of it, one answer a process."""
    with workers(*commands) as started:
        answers = [process.communicate(timeout=60)[0] for process in started]
    return [json.loads(answer) for answer in answers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
async def store(path: Path) -> FileKeyRingStore:
    store = FileKeyRingStore(path)
    assert await store.compare_and_swap("default", expected=0, document=b"")
    return store


async def test_reservations_stop_at_the_limit(store, path):
    assert sum(results(*[("reserve", path, 3, 200)] * PROCESSES)) == 200
    stored = await store.load("default")
    assert stored is not None
    assert stored.mints == {"kid": 200}


async def test_no_change_is_lost(store, path):
    results(*[("append", path, letter, 25) for letter in "abcd"])
    stored = await store.load("default")
    assert stored is not None
    assert Counter(stored.document.decode()) == dict.fromkeys("abcd", 25)
    assert stored.revision == 101


async def test_a_kill_in_mid_write_leaves_one_state_or_the_other(store, path):
    revisions = []
    unfinished = path / "default.ring.tmp"
    for _ in range(6):
        with workers(("overwrite", path)) as (process,), anyio.fail_after(30):
            while not unfinished.exists():  # nothing else tells when it is in mid-write
                await anyio.lowlevel.checkpoint()
            process.send_signal(signal.SIGKILL)
        stored = await store.load("default")
        assert stored is not None
        assert stored.revision == 1 or stored.document == b"%d" % ((stored.revision - 1) % 10) * 300_000
        revisions.append(stored.revision)
        # The lock went with the process, and what it left behind is in nobody's way.
        assert await store.compare_and_swap("default", expected=stored.revision, document=b"x")
        assert await store.compare_and_swap(
            "default", expected=stored.revision + 1, document=b"%d" % ((stored.revision + 1) % 10) * 300_000
        )
    assert revisions == sorted(set(revisions))


async def test_no_version_signs_more_than_its_cap(path):
    granted: Counter[str] = Counter()
    for kids in results(*[("mint", path, 40, 25)] * PROCESSES):
        granted.update(kids)
    assert sum(granted.values()) == 40 * PROCESSES
    assert max(granted.values()) <= 25


async def test_processes_that_start_together_agree_on_one_ring(path):
    assert len(set(results(*[("acquire_at", path, 0)] * PROCESSES))) == 1


async def test_what_is_due_is_done_once(path):
    (first,) = results(("acquire_at", path, 0))
    (active,) = set(results(*[("acquire_at", path, 1)] * PROCESSES))
    assert active != first
    async with FileKeyProvider(path) as provider:
        assert len(await provider.versions()) == 3  # the one that retires, the one that signs, and its successor
