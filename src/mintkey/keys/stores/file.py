"""A ring in a directory: one file a ring, replaced atomically, changed only under a lock that all processes share."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import anyio
import anyio.to_thread

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.files import ring_format
from mintkey.files.private import PrivateDirectory
from mintkey.keys.base import StoredRing
from mintkey.lifecycle import Resource

__all__ = ["FileKeyRingStore"]

_T = TypeVar("_T")

_EMPTY = StoredRing(document=b"", revision=0)
_MAX_BYTES = 16 * 1024 * 1024
_MAX_NAME = 200
_LOCK_WAIT = timedelta(seconds=4)  # less than the engine waits for a store, so that this error is the one to be seen
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
# The store does not know which kids the ring has dropped, so it forgets those that reserved least recently. A version
# that still signs is never among them: that many others would have to have signed since.
_MAX_COUNTED_KIDS = 1024


class FileKeyRingStore(Resource):
    """A `KeyRingStore` in a local directory, for any number of processes on one machine.

    The directory has mode 0700, the files 0600, all belong to us and none is a link; that is checked at every access.
    A change is written beside the file, flushed, and put in its place: a crash leaves the old state or the new one.
    Locks are `flock`, so the directory belongs on a local file system.

    Args:
        path: The directory; it is made when the store is opened, or with the first ring.

    Example:
        >>> FileKeyRingStore("/var/lib/myapp/keys")
        FileKeyRingStore('/var/lib/myapp/keys')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def __repr__(self) -> str:
        return f"FileKeyRingStore({self._path!r})"

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is no file of it.

        Raises:
            ConfigurationError: The directory or the file is open to others, a link, or not ours (`configuration`).
            KeyProviderError: It cannot be read, or its content is damaged (`keys_unavailable`).
        """
        stored = await self._in_thread(partial(self._load, _file_name(ring), ring))
        return stored if stored.revision else None

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened.

        Raises:
            ConfigurationError: As for `load` (`configuration`).
            KeyProviderError: As for `load`, or it cannot be written, or stayed locked (`keys_unavailable`).
        """

        def swap(stored: StoredRing) -> tuple[StoredRing, bool]:
            if stored.revision != expected:
                return stored, False
            return replace(stored, document=document, revision=expected + 1), True

        return await self._change(ring, swap)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, never beyond `limit` in all; how many were granted.

        Raises:
            ConfigurationError: As for `load` (`configuration`).
            KeyProviderError: As for `compare_and_swap` (`keys_unavailable`).
        """

        def count(stored: StoredRing) -> tuple[StoredRing, int]:
            mints = dict(stored.mints)
            taken = mints.pop(kid, 0)
            granted = min(want, limit - taken)
            # Without a ring the counts are lost too, and counting from zero would break the cap.
            if granted <= 0 or not stored.revision:
                return stored, 0
            mints[kid] = taken + granted
            return replace(stored, mints=dict(list(mints.items())[-_MAX_COUNTED_KIDS:])), granted

        return await self._change(ring, count)

    async def watch(self, ring: str, /) -> AsyncIterator[int]:  # noqa: ARG002 - the shape of the port
        """Nothing: a directory tells nobody portably, and polling is the guarantee."""
        return
        yield 0  # never reached; it makes this a generator

    async def _open(self) -> None:
        await self._in_thread(self._make_directory)

    async def _change(self, ring: str, change: Callable[[StoredRing], tuple[StoredRing, _T]]) -> _T:
        """Apply a change under the lock; a taken lock is waited for on the loop, never in a thread."""
        work = partial(self._change_locked, _file_name(ring), ring, change)
        pause = _FIRST_PAUSE
        try:
            with anyio.fail_after(_LOCK_WAIT.total_seconds()):
                while True:
                    try:
                        return await self._in_thread(work)
                    except BlockingIOError:
                        await anyio.sleep(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError as error:
            raise KeyProviderError(f"the key ring {ring!r} in {self._path} stayed locked by another process") from error

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """The result of work with files; what the system has to complain about becomes ours."""
        try:
            return await anyio.to_thread.run_sync(work)
        except BlockingIOError:
            raise  # the lock is taken
        except OSError as error:
            raise KeyProviderError(
                f"the key directory {self._path} cannot be used: {error.strerror}", details={"errno": error.errno}
            ) from error

    def _make_directory(self) -> None:
        with PrivateDirectory.opened(self._path, create=True):
            pass

    def _load(self, name: str, ring: str) -> StoredRing:
        try:
            with PrivateDirectory.opened(self._path, create=False) as directory:
                return self._read(directory, name, ring)
        except FileNotFoundError:
            return _EMPTY

    def _change_locked(self, name: str, ring: str, change: Callable[[StoredRing], tuple[StoredRing, _T]]) -> _T:
        with PrivateDirectory.opened(self._path, create=True) as directory, directory.locked(f"{name}.lock"):
            before = self._read(directory, name, ring)
            after, answer = change(before)
            if after is not before:
                directory.replace(name, ring_format.encode(ring, after))
            return answer

    def _read(self, directory: PrivateDirectory, name: str, ring: str) -> StoredRing:
        content = directory.read(name, max_bytes=_MAX_BYTES)
        if content is None:
            return _EMPTY
        path = Path(self._path, name)
        if len(content) > _MAX_BYTES:
            raise KeyProviderError(f"{path} is too large for a key ring ({_MAX_BYTES} bytes)")
        try:
            return ring_format.decode(ring, content)
        except ValueError as error:
            raise KeyProviderError(f"{path} {error}; restore it, or move it away to begin with new keys") from error


def _file_name(ring: str) -> str:
    """A file name that only this ring has: never a path, whatever the ring is called."""
    try:
        name = quote(ring, safe="")
    except UnicodeEncodeError:
        name = ""
    if not 0 < len(name) <= _MAX_NAME:
        raise ConfigurationError(
            f"ring must be text of 1 to {_MAX_NAME} characters (each other than A-Za-z0-9._~- counts 3 or more)"
        )
    return f"{name}.ring"
