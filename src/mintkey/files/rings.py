"""Key rings in a private directory: one file a ring, changed only under a lock that all processes share.

Everything here blocks: call it from a worker thread. Operating system errors are passed on as they are.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.files import ring_format
from mintkey.files.private import PrivateDirectory
from mintkey.keys.ports import StoredRing

__all__ = ["RingDirectory", "given_back", "reserved", "swapped"]

_T = TypeVar("_T")

_EMPTY = StoredRing(document=b"", revision=0)
_MAX_BYTES = 16 * 1024 * 1024
_MAX_NAME = 200
# The store does not know which kids the ring has dropped, so it forgets those that reserved least recently. A version
# that still signs is never among them: that many others would have to have signed since.
_MAX_COUNTED_KIDS = 1024


class RingDirectory:
    """Reads and changes the rings of a directory.

    Args:
        path: The directory; it is made with the first ring.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> None:
        """Make the directory, unless it is there."""
        with PrivateDirectory.opened(self.path, create=True):
            pass

    def load(self, ring: str, /) -> StoredRing:
        """The ring; of revision 0 if there is none.

        Raises:
            ConfigurationError: The directory or the file is open to others, a link, or not ours, or the name is none
                for a file (`configuration`).
            KeyProviderError: What the file holds is damaged (`keys_unavailable`).
        """
        name = _file_name(ring)
        try:
            with PrivateDirectory.opened(self.path, create=False) as directory:
                return self._read(directory, name, ring)
        except FileNotFoundError:
            return _EMPTY

    def change(self, ring: str, change: Callable[[StoredRing], tuple[StoredRing, _T]], /) -> _T:
        """Apply a change under the lock; what it answers beside the new state.

        Raises:
            BlockingIOError: Somebody else has the lock.
            ConfigurationError: As for `load` (`configuration`).
            KeyProviderError: As for `load` (`keys_unavailable`).
        """
        name = _file_name(ring)
        with PrivateDirectory.opened(self.path, create=True) as directory, directory.locked(f"{name}.lock"):
            before = self._read(directory, name, ring)
            after, answer = change(before)
            if after is not before:
                directory.replace(name, ring_format.encode(ring, after))
            return answer

    def _read(self, directory: PrivateDirectory, name: str, ring: str) -> StoredRing:
        content = directory.read(name, max_bytes=_MAX_BYTES)
        if content is None:
            return _EMPTY
        path = Path(self.path, name)
        if len(content) > _MAX_BYTES:
            raise KeyProviderError(f"{path} is too large for a key ring ({_MAX_BYTES} bytes)")
        try:
            return ring_format.decode(ring, content)
        except ValueError as error:
            raise KeyProviderError(f"{path} {error}; restore it, or move it away to begin with new keys") from error


def swapped(stored: StoredRing, /, *, expected: int, document: bytes) -> tuple[StoredRing, bool]:
    """The ring with another document if its revision is the expected one, and whether it is."""
    if stored.revision != expected:
        return stored, False
    return replace(stored, document=document, revision=expected + 1), True


def reserved(stored: StoredRing, /, *, kid: str, want: int, limit: int) -> tuple[StoredRing, int]:
    """The ring with up to `want` more mints of a kid, never beyond the limit, and how many that are."""
    mints = dict(stored.mints)
    taken = mints.pop(kid, 0)
    granted = min(want, limit - taken)
    # Without a ring the counts are lost too, and counting from zero would break the cap.
    if granted <= 0 or not stored.revision:
        return stored, 0
    mints[kid] = taken + granted
    kept = dict(list(mints.items())[-_MAX_COUNTED_KIDS:])
    returned = {each: given for each, given in stored.returned.items() if each in kept}
    return replace(stored, mints=kept, returned=returned), granted


def given_back(stored: StoredRing, /, *, kid: str, count: int) -> tuple[StoredRing, None]:
    """The ring with so many reserved mints of a kid taken back, as far as it has them."""
    given = min(count, stored.mints.get(kid, 0))
    if given <= 0:
        return stored, None
    mints = {**stored.mints, kid: stored.mints[kid] - given}
    returned = {**stored.returned, kid: stored.returned.get(kid, 0) + given}
    return replace(stored, mints=mints, returned=returned), None


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
