"""The key file beside an SQLite store, for whoever set no `MINTKEY_SEAL_KEYS`. Everything here blocks."""

import errno
import os
import stat
from pathlib import Path

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.ids import new_id
from mintkey.keys.sealing import Sealer

__all__ = ["find_sealer_beside", "key_file_of", "sealer_beside"]

# O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer; it means nothing for regular files.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LIMIT = 1024


def key_file_of(database: Path, /) -> Path:
    """Where the key file of a database lies."""
    return database.with_name(f"{database.name}.key")


def find_sealer_beside(database: Path, /) -> Sealer | None:
    """The sealer of a database without seal keys of its own; None if neither the database nor its key file is there.

    Raises:
        ConfigurationError: As for `sealer_beside` (`configuration`).
        KeyProviderError: As for `sealer_beside` (`keys_unavailable`).
    """
    is_there = database.exists() or os.path.lexists(key_file_of(database))
    return sealer_beside(database) if is_there else None


def sealer_beside(database: Path, /) -> Sealer:
    """The sealer of a database without seal keys of its own; its key file is made with the database.

    Raises:
        ConfigurationError: The key file is damaged, a link, not ours or open to others, or the database is there
            without it (`configuration`).
        KeyProviderError: The key file cannot be read or made (`keys_unavailable`).
    """
    path = key_file_of(database)
    try:
        text = _read(path) or _make(path, database)
    except OSError as error:
        raise KeyProviderError(f"the key file {path} cannot be used: {error.strerror}") from error
    try:
        return Sealer([text.strip()])
    except ConfigurationError:
        # Not chained and not quoted: whatever the file holds, it is meant to be secret.
        raise ConfigurationError(f"{path} holds no seal key: restore it, or set MINTKEY_SEAL_KEYS") from None


def _make(path: Path, database: Path) -> str:
    """The content of a new key file, or of the one that somebody else made meanwhile."""
    if database.exists():
        # Whoever makes both makes the key file first, so it is looked up once more.
        text = _read(path)
        if text is None:
            raise ConfigurationError(
                f"{database} is there, but not {path}, which seals its private keys: restore it, or set "
                "MINTKEY_SEAL_KEYS to the keys that seal them"
            )
        return text
    # Made under another name and then linked: of several processes one wins, and nobody reads half a file.
    temporary = path.with_name(f"{path.name}.{new_id()}")
    with os.fdopen(os.open(temporary, _CREATE, 0o600), "w", encoding="ascii") as file:
        file.write(f"{Sealer.generate_key()}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return _read(path) or ""


def _read(path: Path) -> str | None:
    """The content of a file that only we can read; None if there is none."""
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigurationError(f"{path} is a symbolic link: put the file itself there") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        checks = {
            "is no regular file": not stat.S_ISREG(found.st_mode),
            f"belongs to user {found.st_uid}, not to us": found.st_uid != os.geteuid(),
            "is open to others: chmod 600 it": bool(found.st_mode & _OTHERS),
        }
        ConfigurationError.raise_if(f"{path} {problem}" for problem, is_so in checks.items() if is_so)
        return file.read(_LIMIT).decode("ascii", "replace")
