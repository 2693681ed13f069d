"""A ring in a directory: one file a ring, replaced atomically, changed only under a lock that all processes share."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from mintkey.errors import KeyProviderError
from mintkey.files.rings import RingDirectory, given_back, reserved, swapped
from mintkey.keys.ports import StoredRing
from mintkey.lifecycle import Resource

__all__ = ["FileKeyRingStore"]

_T = TypeVar("_T")

_LOCK_WAIT = timedelta(seconds=4)  # less than the engine waits for a store, so that this error is the one to be seen
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


class FileKeyRingStore(Resource):
    """A `KeyRingStore` in a local directory, for any number of processes on one machine.

    The directory has mode 0700, the files 0600, all belong to us and none is a link; that is checked at every access.
    A change is written beside the file, flushed, and put in its place: a crash leaves the old state or the new one.
    Locks are `flock`, so the directory belongs on a local file system.

    Every call raises `ConfigurationError` (`configuration`) if the directory or a file is open to others, a link, or
    not ours, and `KeyProviderError` (`keys_unavailable`) if it cannot be read or written, is damaged, or stays locked.

    Args:
        path: The directory; it is made when the store is opened, or with the first ring.

    Example:
        >>> FileKeyRingStore("/var/lib/myapp/keys")
        FileKeyRingStore('/var/lib/myapp/keys')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._directory = RingDirectory(os.fspath(path))

    def __repr__(self) -> str:
        return f"FileKeyRingStore({self._directory.path!r})"

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is no file of it."""
        stored = await self._in_thread(partial(self._directory.load, ring))
        return stored if stored.revision else None

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened."""
        return await self._change(ring, partial(swapped, expected=expected, document=document))

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, never beyond `limit` in all; how many were granted."""
        return await self._change(ring, partial(reserved, kid=kid, want=want, limit=limit))

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        """Take back so many reserved mints."""
        await self._change(ring, partial(given_back, kid=kid, count=count))

    async def watch(self, ring: str, /) -> AsyncIterator[int]:  # noqa: ARG002 - the shape of the port
        """Nothing: a directory tells nobody portably, and polling is the guarantee."""
        return
        yield 0  # never reached; it makes this a generator

    async def _open(self) -> None:
        await self._in_thread(self._directory.make)

    async def _change(self, ring: str, change: Callable[[StoredRing], tuple[StoredRing, _T]]) -> _T:
        """Apply a change under the lock; a taken lock is waited for on the loop, never in a thread."""
        work = partial(self._directory.change, ring, change)
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
            message = f"the key ring {ring!r} in {self._directory.path} stayed locked by another process"
            raise KeyProviderError(message) from error

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """The result of work with files; what the system has to complain about becomes ours."""
        try:
            return await anyio.to_thread.run_sync(work)
        except BlockingIOError:
            raise  # the lock is taken
        except OSError as error:
            raise KeyProviderError(
                f"the key directory {self._directory.path} cannot be used: {error.strerror}",
                details={"errno": error.errno},
            ) from error
