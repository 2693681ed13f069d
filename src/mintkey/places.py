"""From a URL to a key provider and a replay store in one place."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mintkey.clock import Clock
from mintkey.errors import ConfigurationError, UnsupportedOperationError
from mintkey.keys.base import IKeyProvider
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.replay.base import ReplayStore
from mintkey.replay.memory import MemoryReplayStore

__all__ = ["place_of"]

_SCHEMES = "memory://, file:///directory and sqlite:///file.db"


def place_of(
    url: str, /, *, policy: RotationPolicy, sealer: Sealer | Plaintext | None, clock: Clock | None
) -> tuple[IKeyProvider, ReplayStore]:
    """The keys and the marks at a URL.

    Args:
        url: `memory://`, `file:///directory` (marks in an SQLite file beside the keys) or `sqlite:///file.db`.
        policy: When keys rotate.
        sealer: Seals private keys at rest.
        clock: Where time comes from.

    Raises:
        ConfigurationError: The URL does not name a place (`configuration`).
        MissingExtraError: The `sql` extra is not installed (`extra_missing`).
        UnsupportedOperationError: Key rings are not kept there yet (`unsupported`).
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        return MemoryKeyProvider(policy=policy, clock=clock), MemoryReplayStore(clock=clock)
    if scheme == "file":
        path = unquote(urlsplit(url).path)
        if not path.startswith("/") or path == "/":
            raise ConfigurationError("the URL must name a directory, as file:///directory does")
        return _directory(Path(path), policy=policy, sealer=sealer, clock=clock)
    if scheme.partition("+")[0] == "sqlite" and rest:
        return _database(url, policy=policy, sealer=sealer, clock=clock)
    if scheme in {"redis", "rediss", "postgresql"}:
        raise UnsupportedOperationError(f"{scheme}:// keeps no key ring yet; from_url knows {_SCHEMES}")
    raise ConfigurationError(f"from_url knows {_SCHEMES}")


def _directory(
    path: Path, *, policy: RotationPolicy, sealer: Sealer | Plaintext | None, clock: Clock | None
) -> tuple[IKeyProvider, ReplayStore]:
    from mintkey.replay.sql import SQLReplayStore  # noqa: PLC0415 - an extra, needed for this scheme alone

    keys = FileKeyProvider(path, policy=policy, sealer=sealer, clock=clock)
    return keys, SQLReplayStore(f"sqlite:///{path / 'marks.db'}", clock=clock)


def _database(
    url: str, *, policy: RotationPolicy, sealer: Sealer | Plaintext | None, clock: Clock | None
) -> tuple[IKeyProvider, ReplayStore]:
    from mintkey.keys.sql import SQLKeyProvider  # noqa: PLC0415 - an extra, needed for this scheme alone
    from mintkey.replay.sql import SQLReplayStore  # noqa: PLC0415 - an extra, needed for this scheme alone

    keys = SQLKeyProvider(url, policy=policy, sealer=sealer, clock=clock)
    return keys, SQLReplayStore(url, clock=clock)
