"""From a URL to a key provider and a replay store in one place.

| URL | keys | marks of spent and revoked tokens |
|---|---|---|
| `memory://` | in this process, gone with it | the same |
| `file:///directory` | a file in a private directory | an SQLite file beside it |
| `sqlite:///file.db` | tables in the file | tables in the same file |
| `postgresql://user@host/database` | tables in the database | tables in the same database |
| `redis://host`, `rediss://host`, `unix:///socket` | one server | the same server |
| `redis+cluster://host:port,…`, `rediss+cluster://…` | a cluster, found by any of its nodes | the same cluster |
| `redis+sentinel://host:port,…/service`, `rediss+sentinel://…` | the master that Sentinel names | the same master |
"""

from datetime import timedelta
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote

from mintkey.clock import Clock
from mintkey.errors import ConfigurationError
from mintkey.keys.base import Algorithm
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.memory import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.file import FileKeyRingStore
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.replay.base import ReplayStore
from mintkey.replay.memory import MemoryReplayStore

__all__ = ["kind_of", "marks_database_of", "place_of", "replay_store_of", "ring_store_of"]

_KINDS = {
    "memory": "memory",
    "file": "file",
    "sqlite": "sql",
    "postgresql": "sql",
    "postgres": "sql",
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
}
_REDIS_TOPOLOGIES = frozenset({"", "cluster", "sentinel"})
_NOT_IN_A_PATH = frozenset("?\0")
_FORMS = (
    "memory://, file:///directory, sqlite:///file.db, postgresql://user@host/database, redis://host:port/0, "
    "unix:///socket, redis+cluster://host:port,host:port and redis+sentinel://host:port,host:port/service; "
    "rediss:// in place of redis:// means TLS"
)


class _Settings(TypedDict):
    """What every rotating provider takes."""

    ring: str
    algorithm: Algorithm
    policy: RotationPolicy
    clock: Clock | None
    sealer: Sealer | Plaintext | None
    refresh_interval: timedelta
    outage_tolerance: timedelta
    max_clock_skew: timedelta


def place_of(
    url: str,
    /,
    *,
    ring: str = "default",
    algorithm: Algorithm = "EdDSA",
    policy: RotationPolicy = RotationPolicy(),  # noqa: B008 - immutable
    sealer: Sealer | Plaintext | None = None,
    clock: Clock | None = None,
    refresh_interval: timedelta = timedelta(seconds=5),
    outage_tolerance: timedelta = timedelta(minutes=10),
    max_clock_skew: timedelta = timedelta(seconds=5),
) -> tuple[RotatingKeyProvider, ReplayStore]:
    """The keys and the marks at a URL; nothing is opened yet.

    Args:
        url: One of the forms above.
        ring: The name of the key ring; one place may hold several, and all of them share the marks.
        algorithm: What new versions are for.
        policy: When keys rotate.
        sealer: Seals private keys at rest; databases and Redis do not go without one, or `Plaintext()` by name.
        clock: Where time comes from.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the place is away.
        max_clock_skew: How far the clocks of processes and verifiers may differ.

    Raises:
        ConfigurationError: The URL does not name a place, there is no sealer where one is needed, or a setting does not
            fit; the URL is never repeated, because it may hold a password (`configuration`).
        MissingExtraError: The `sql` extra is not installed (`extra_missing`).

    Example:
        >>> keys, marks = place_of("memory://", policy=RotationPolicy(previous_ttl=timedelta(hours=2)))
        >>> keys.max_token_age
        datetime.timedelta(seconds=7200)
    """
    settings = _Settings(
        ring=ring,
        algorithm=algorithm,
        policy=policy,
        clock=clock,
        sealer=sealer,
        refresh_interval=refresh_interval,
        outage_tolerance=outage_tolerance,
        max_clock_skew=max_clock_skew,
    )
    keys: RotatingKeyProvider
    match kind_of(url):
        case "memory":
            keys = MemoryKeyProvider(**settings)
        case "file":
            keys = FileKeyProvider(_directory_of(url), **settings)
        case "sql":
            from mintkey.keys.sql import SQLKeyProvider  # noqa: PLC0415 - an extra, needed for this kind alone

            keys = SQLKeyProvider(url, **settings)
        case _:
            # Imported when needed: whoever keeps keys elsewhere does not pay for it.
            from mintkey.keys.redis import RedisKeyProvider  # noqa: PLC0415

            keys = RedisKeyProvider(url, **settings)
    return keys, replay_store_of(url, clock=clock)


def replay_store_of(url: str, /, *, clock: Clock | None = None, fence: bool = True) -> ReplayStore:
    """The marks at a URL; nothing is opened yet.

    Args:
        url: As for `place_of`.
        clock: Where time comes from.
        fence: Whether tokens from before the marks begin are refused; without it, looking at the marks writes nothing.

    Raises:
        ConfigurationError: The URL does not name a place (`configuration`).
        MissingExtraError: The `sql` extra is not installed (`extra_missing`).

    Example:
        >>> replay_store_of("sqlite:///tokens.db")
        SQLReplayStore('sqlite:///tokens.db')
    """
    match kind_of(url):
        case "memory":
            return MemoryReplayStore(clock=clock, fence=fence)
        case "redis":
            from mintkey.replay.redis import RedisReplayStore  # noqa: PLC0415 - as in `place_of`

            return RedisReplayStore(url, clock=clock, fence=fence)
        case _:
            from mintkey.replay.sql import SQLReplayStore  # noqa: PLC0415 - an extra, needed for some kinds alone

            return SQLReplayStore(marks_database_of(url) or url, clock=clock, fence=fence)


def ring_store_of(url: str, /) -> KeyRingStore:
    """The store of key rings at a URL, for those who only want to look; nothing is opened yet.

    Raises:
        ConfigurationError: The URL does not name a place (`configuration`).
        MissingExtraError: The `sql` extra is not installed (`extra_missing`).

    Example:
        >>> ring_store_of("file:///var/lib/myapp/keys")
        FileKeyRingStore('/var/lib/myapp/keys')
    """
    match kind_of(url):
        case "memory":
            return MemoryKeyRingStore()
        case "file":
            return FileKeyRingStore(_directory_of(url))
        case "sql":
            from mintkey.keys.stores.sql import SQLKeyRingStore  # noqa: PLC0415 - an extra, needed for this kind alone

            return SQLKeyRingStore(url)
        case _:
            from mintkey.keys.stores.redis import RedisKeyRingStore  # noqa: PLC0415 - as in `place_of`

            return RedisKeyRingStore(url)


def marks_database_of(url: str, /) -> str | None:
    """The URL of the database that holds the marks at a URL; None if it is no SQL database.

    Raises:
        ConfigurationError: The URL does not name a place (`configuration`).

    Example:
        >>> marks_database_of("file:///var/lib/myapp/keys")
        'sqlite:////var/lib/myapp/keys/marks.db'
    """
    match kind_of(url):
        case "file":
            return f"sqlite:///{_directory_of(url) / 'marks.db'}"
        case "sql":
            return url
        case _:
            return None


def kind_of(url: str, /) -> str:
    """What keeps keys and marks at a URL: `memory`, `file`, `sql` or `redis`.

    Raises:
        ConfigurationError: The URL is none of the forms that there are (`configuration`).

    Example:
        >>> kind_of("redis+cluster://a:7000,b:7000")
        'redis'
    """
    scheme, has_scheme, rest = url.partition("://")
    base, plus, detail = scheme.partition("+")
    kind = _KINDS.get(base, "")
    fits = {
        "memory": not detail,
        "file": not detail and rest.startswith("/") and rest != "/",
        "sql": bool(rest),
        "redis": bool(rest) and detail in (_REDIS_TOPOLOGIES if base != "unix" else {""}),
    }
    if not (has_scheme and fits.get(kind) and bool(plus) is bool(detail)):
        raise ConfigurationError(f"the URL names no place for keys; there are {_FORMS}")
    # The marks are in an SQLite file beside the keys, and to SQLAlchemy's URLs a database ends where a ? begins.
    if kind == "file" and not _NOT_IN_A_PATH.isdisjoint(unquote(rest)):
        raise ConfigurationError("a directory of keys must not have a ? or a null character in its name")
    return kind


def _directory_of(url: str) -> Path:
    return Path(unquote(url.partition("://")[2]))
