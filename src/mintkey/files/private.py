"""A directory that only we can look into, and files in it that are replaced whole or not at all.

Everything here blocks: call it from a worker thread. Operating system errors are passed on as they are.
"""

import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from mintkey.errors import ConfigurationError

__all__ = ["PrivateDirectory"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer; it means nothing for regular files.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PrivateDirectory:
    """An open directory of mode 0700 that belongs to us.

    All files are opened relative to the open directory, so that nobody can exchange it between two steps.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def opened(cls, path: str, /, *, create: bool) -> Generator[Self, None, None]:
        """The directory, while the block runs.

        Raises:
            FileNotFoundError: There is none, and it is not to be created.
            ConfigurationError: It is a link, not ours, or others may look into it (`configuration`).
            OSError: It cannot be opened or created.
        """
        if create:
            with suppress(FileExistsError):
                Path(path).mkdir(mode=0o700, parents=True)
        descriptor = _open_checked(path, _DIRECTORY)
        try:
            yield cls(path, descriptor)
        finally:
            os.close(descriptor)

    def read(self, name: str, /, *, max_bytes: int) -> bytes | None:
        """The content of a file, at most one byte over the limit; None if there is no such file.

        Raises:
            ConfigurationError: It is a link, no regular file, not ours, or open to others (`configuration`).
            OSError: It cannot be read.
        """
        try:
            descriptor = _open_checked(self._path, _READ, name=name, directory=self._descriptor)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(max_bytes + 1)

    def replace(self, name: str, content: bytes, /) -> None:
        """Put the content in place of the file: after a crash there is the old file or the new one.

        The caller holds the lock, so one temporary name will do, and what a crash left behind is overwritten.

        Raises:
            OSError: It was not written; the old file is still there. Only if the very last step fails, the flush of the
                directory, the new one is there and may yet be lost in a crash.
        """
        temporary = f"{name}.tmp"
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=self._descriptor)
        descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # a strict umask may have taken away our own rights
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._descriptor)
            raise
        os.fsync(self._descriptor)

    @contextmanager
    def locked(self, name: str, /) -> Generator[None, None, None]:
        """Hold the lock file while the block runs; the kernel gives it back if we die.

        Raises:
            BlockingIOError: Somebody else holds it.
            ConfigurationError: As for `read` (`configuration`).
            OSError: The lock file cannot be opened or locked.
        """
        descriptor = _open_checked(self._path, _LOCK, name=name, directory=self._descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                # Not by closing alone: a process that was forked off meanwhile has the file open, too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def _open_checked(path: str, flags: int, *, name: str = "", directory: int | None = None) -> int:
    """A descriptor of a directory, or of a file in an open one, that is safe to use; the caller closes it."""
    shown = str(Path(path, name))
    try:
        descriptor = os.open(name or path, flags, 0o600, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError:
        # The open refused a link or a wrong type by itself: look again, only to say what is wrong.
        _check(os.stat(name or path, dir_fd=directory, follow_symlinks=False), shown, is_directory=directory is None)
        raise
    try:
        _check(os.fstat(descriptor), shown, is_directory=directory is None)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result, path: str, *, is_directory: bool) -> None:
    """Whether this is what we keep secrets in; every problem at once."""
    what, right_type, mode = (
        ("a directory", stat.S_ISDIR, 0o700) if is_directory else ("a regular file", stat.S_ISREG, 0o600)
    )
    if stat.S_ISLNK(found.st_mode):
        raise ConfigurationError(f"{path} is a symbolic link; give {what} itself")
    if not right_type(found.st_mode):
        raise ConfigurationError(f"{path} is not {what}; move it away")
    problems: list[str] = []
    if found.st_uid != os.geteuid():
        problems.append(f"{path} belongs to user {found.st_uid}, not to us ({os.geteuid()}); chown it")
    if found.st_mode & _OTHERS:
        problems.append(f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}); chmod {mode:o} it")
    ConfigurationError.raise_if(problems)
