"""The file store: what the contract suite does not ask, because only files have it."""

import errno
import fcntl
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.files import rings
from mintkey.keys.stores import file as file_store
from mintkey.keys.stores.file import FileKeyRingStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(path: Path) -> FileKeyRingStore:
    return FileKeyRingStore(path)


@pytest.fixture
async def ring(store: FileKeyRingStore, path: Path) -> Path:
    """The file of a ring that was written."""
    assert await store.compare_and_swap("default", expected=0, document=b"old")
    return path / "default.ring"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def document(store: FileKeyRingStore, ring: str = "default") -> bytes | None:
    stored = await store.load(ring)
    return None if stored is None else stored.document


# Where things are


async def test_nothing_is_made_by_looking(store, path):
    assert await store.load("default") is None
    assert not path.exists()


async def test_everything_is_for_us_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store = FileKeyRingStore(str(tmp_path / "deep" / "keys"))
        await store.compare_and_swap("default", expected=0, document=b"{}")
    finally:
        os.umask(before)
    path = tmp_path / "deep" / "keys"
    assert mode(path) == 0o700
    assert {file.name: mode(file) for file in path.iterdir()} == {"default.ring": 0o600, "default.ring.lock": 0o600}


async def test_a_strict_umask_does_not_lock_us_out(store, path):
    path.mkdir(mode=0o700)
    before = os.umask(0o377)
    try:
        await store.compare_and_swap("default", expected=0, document=b"{}")
    finally:
        os.umask(before)
    assert mode(path / "default.ring") == 0o600


@pytest.mark.parametrize(
    "name", ["..", ".", "../escape", "a/b", "/etc/x", "a\0b", "a b", "%2e", "é", "\n", "CON", "a.ring"]
)
async def test_a_name_is_never_a_path(store, path, name):
    await store.compare_and_swap(name, expected=0, document=b"{}")
    assert await document(store, name) == b"{}"
    assert {entry.parent for entry in path.parent.rglob("*")} == {path.parent, path}
    assert len(list(path.iterdir())) == 2


async def test_no_two_names_share_a_file(store):
    names = ["a", "a/b", "a%2Fb", "a%2fb", "a.ring", "a.lock", "a.ring.lock", "a.ring.tmp", "A"]
    for name in names:
        await store.compare_and_swap(name, expected=0, document=name.encode())
    assert [await document(store, name) for name in names] == [name.encode() for name in names]


@pytest.mark.parametrize("name", ["", "x" * 201, "é" * 40, "\ud800"])
async def test_a_name_that_is_no_file_name_is_refused(store, name):
    with pytest.raises(ConfigurationError, match="ring must be"):
        await store.load(name)


def test_it_shows_where_it_is(path):
    assert repr(FileKeyRingStore(path)) == f"FileKeyRingStore({str(path)!r})"


async def test_it_tells_nobody(store, ring):
    assert [revision async for revision in store.watch("default")] == []


# Who else may look


def with_mode(bits: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(bits)


def as_link(path: Path) -> None:
    target = path.rename(path.with_name(f"{path.name}.real"))
    path.symlink_to(target)


def as_dangling_link(path: Path) -> None:
    as_link(path)
    path.readlink().rename(path.parent / "gone")


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def of_somebody_else(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)


FILE_VIOLATIONS = [
    (with_mode(0o640), "chmod 600"),
    (with_mode(0o604), "chmod 600"),
    (with_mode(0o620), "chmod 600"),
    (as_link, "symbolic link"),
    (as_dangling_link, "symbolic link"),
    (as_fifo, "not a regular file"),
    (as_directory, "not a regular file"),
    (of_somebody_else, "chown"),
]


@pytest.mark.parametrize(("violate", "advice"), FILE_VIOLATIONS)
async def test_a_file_that_others_reach_is_refused(store, ring, violate, advice):
    violate(ring)
    for use in (store.load("default"), store.compare_and_swap("default", expected=1, document=b"new")):
        with pytest.raises(ConfigurationError, match=advice) as caught:
            await use
        assert str(ring) in str(caught.value)


@pytest.mark.parametrize(("violate", "advice"), FILE_VIOLATIONS)
async def test_a_lock_that_others_reach_is_refused(store, ring, violate, advice):
    lock = ring.with_name("default.ring.lock")
    violate(lock)
    with pytest.raises(ConfigurationError, match=advice) as caught:
        await store.compare_and_swap("default", expected=1, document=b"new")
    assert str(lock) in str(caught.value)
    assert await document(store) == b"old"


@pytest.mark.parametrize(
    ("violate", "advice"),
    [
        (with_mode(0o750), "chmod 700"),
        (with_mode(0o701), "chmod 700"),
        (as_link, "symbolic link"),
        (of_somebody_else, "chown"),
    ],
)
async def test_a_directory_that_others_reach_is_refused(store, ring, path, violate, advice):
    violate(path)
    for use in (store.load("default"), store.compare_and_swap("default", expected=1, document=b"new")):
        with pytest.raises(ConfigurationError, match=advice) as caught:
            await use
        assert str(path) in str(caught.value)


async def test_a_file_in_place_of_the_directory_is_refused(store, path):
    path.touch(mode=0o600)
    for use in (store.load("default"), store.compare_and_swap("default", expected=0, document=b"new")):
        with pytest.raises(ConfigurationError, match="not a directory"):
            await use


async def test_all_problems_of_a_file_come_at_once(store, ring):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(ring, 12345, -1)
    ring.chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        await store.load("default")
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 2


# What stands in the file


async def test_every_changed_byte_is_noticed(store, ring):
    await store.reserve("default", "kid", want=3, limit=10)
    content = ring.read_bytes()
    for at in range(len(content)):
        ring.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(KeyProviderError) as caught:
            await store.load("default")
        assert caught.value.reason is Reason.KEYS_UNAVAILABLE
        assert str(ring) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 20, 85, 100])
async def test_a_file_that_was_cut_off_is_noticed(store, ring, size):
    content = ring.read_bytes()
    assert size < len(content)
    ring.write_bytes(content[:size])
    with pytest.raises(KeyProviderError):
        await store.load("default")


async def test_the_file_of_another_ring_is_not_taken_for_this_one(store, ring):
    ring.with_name("other.ring").write_bytes(ring.read_bytes())
    ring.with_name("other.ring").chmod(0o600)
    with pytest.raises(KeyProviderError, match="another ring"):
        await store.load("other")


async def test_a_damaged_ring_is_never_replaced(store, ring):
    ring.write_bytes(b"damaged")
    for use in (
        store.compare_and_swap("default", expected=0, document=b"new"),
        store.reserve("default", "kid", want=1, limit=1),
    ):
        with pytest.raises(KeyProviderError, match="restore it"):
            await use
    assert ring.read_bytes() == b"damaged"


async def test_an_enormous_file_is_not_read(store, ring, monkeypatch):
    monkeypatch.setattr(rings, "_MAX_BYTES", 100)
    ring.write_bytes(bytes(101))
    with pytest.raises(KeyProviderError, match="too large"):
        await store.load("default")


async def test_counts_of_versions_that_are_long_gone_are_forgotten(store, ring, monkeypatch):
    monkeypatch.setattr(rings, "_MAX_COUNTED_KIDS", 3)
    for kid in ("signs", "a", "b", "signs", "c", "d", "signs"):
        await store.reserve("default", kid, want=1, limit=10)
    stored = await store.load("default")
    assert stored is not None
    assert stored.mints == {"c": 1, "d": 1, "signs": 3}


async def test_nothing_is_granted_beyond_the_limit_or_without_a_ring(store, ring):
    assert [await store.reserve("default", "kid", want=2, limit=3) for _ in range(3)] == [2, 1, 0]
    assert await store.reserve("other", "kid", want=2, limit=3) == 0


# What can go wrong


@contextmanager
def full_disk() -> Iterator[None]:
    """The kernel refuses to let a file grow beyond 16 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_leaves_the_old_state(store, ring, path):
    with full_disk(), pytest.raises(KeyProviderError) as caught:
        await store.compare_and_swap("default", expected=1, document=b"new" * 100)
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert caught.value.details["errno"] == errno.EFBIG
    assert isinstance(caught.value.__cause__, OSError)
    assert await document(store) == b"old"
    assert not list(path.glob("*.tmp"))


@pytest.mark.parametrize(("step", "code"), [("replace", errno.EROFS), ("fsync", errno.EIO), ("fchmod", errno.EPERM)])
async def test_a_failing_step_leaves_the_old_state(store, ring, monkeypatch, step, code):
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(KeyProviderError, match=os.strerror(code)):
        await store.compare_and_swap("default", expected=1, document=b"new")
    monkeypatch.undo()
    assert await document(store) == b"old"
    assert not list(ring.parent.glob("*.tmp"))


async def test_a_directory_that_cannot_be_opened_is_an_outage(store, ring, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(KeyProviderError, match="Permission denied"):
        await store.load("default")


async def test_what_a_crash_left_behind_is_replaced_and_a_planted_link_not_followed(store, ring, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    leftover = ring.with_name("default.ring.tmp")
    for is_link in (False, True):
        if is_link:
            leftover.symlink_to(victim)
        else:
            leftover.write_bytes(b"half")
        stored = await store.load("default")
        assert stored is not None
        assert await store.compare_and_swap("default", expected=stored.revision, document=b"new")
        assert leftover not in list(ring.parent.iterdir())
    assert victim.read_text() == "precious"
    assert await document(store) == b"new"


# Waiting for the lock


@contextmanager
def held(lock: Path) -> Iterator[None]:
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def test_a_taken_lock_is_waited_for_without_holding_up_anybody(store, ring):
    took: list[bool] = []

    async def swap() -> None:
        took.append(await store.compare_and_swap("default", expected=1, document=b"new"))

    async with anyio.create_task_group() as tasks:
        with held(ring.with_name("default.ring.lock")):
            for _ in range(3):
                tasks.start_soon(swap)
            for _ in range(5):
                await anyio.sleep(0.01)  # the loop runs
            assert await document(store) == b"old"  # and readers need no lock
            assert took == []
    assert sorted(took) == [False, False, True]


async def test_a_lock_that_stays_taken_is_an_outage(store, ring, monkeypatch):
    monkeypatch.setattr(file_store, "_LOCK_WAIT", timedelta(milliseconds=30))
    with held(ring.with_name("default.ring.lock")), pytest.raises(KeyProviderError, match="stayed locked") as caught:
        await store.compare_and_swap("default", expected=1, document=b"new")
    assert caught.value.retryable


async def test_waiting_can_be_cancelled(store, ring):
    with held(ring.with_name("default.ring.lock")), anyio.move_on_after(0.03) as scope:
        await store.reserve("default", "kid", want=1, limit=1)
    assert scope.cancelled_caught
    assert await store.reserve("default", "kid", want=1, limit=1) == 1
