"""From the settings to keys and marks: which store, sealed with what."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio
import platformdirs

from mintkey.cli.seal_file import find_sealer_beside, key_file_of, sealer_beside
from mintkey.cli.settings import Settings
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.files.private import PrivateDirectory
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.sealing import Sealer
from mintkey.places import kind_of, place_of
from mintkey.replay.base import ReplayStore
from mintkey.service import TokenService

__all__ = ["Place", "build", "find_place", "keys_at", "naming_settings", "open_place", "with_keys", "with_service"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and what seals the private keys in it.

    Attributes:
        url: The URL; it may hold a password.
        sealer: What seals; None where a directory holds the keys as they are, or nothing is there yet.
        database: The SQLite file, if it is one.
        key_file: The file beside the database that holds the seal key, if the operator set none.
        holds_ring: Whether keys are there; where the operator rotates them elsewhere, there are marks alone.
    """

    url: str = field(repr=False)
    sealer: Sealer | None = None
    database: Path | None = None
    key_file: Path | None = None
    holds_ring: bool = True


def with_service(settings: Settings, work: Callable[[TokenService], Awaitable[T]], /) -> T:
    """What the work answers, given a service on the store of the settings. Runs the event loop.

    Raises:
        MintkeyError: Whatever opening the store or the work itself raises.
    """
    keys, replay = build(settings, open_place(settings))

    async def main() -> T:
        # Closed, but not entered: nothing is opened that the work does not need, and no upkeep starts for one command.
        async with aclosing(TokenService(issuer=settings.issuer, keys=keys, replay=replay)) as service:
            return await work(service)

    return anyio.run(main)


def with_keys(settings: Settings, work: Callable[[RotatingKeyProvider], Awaitable[T]], /) -> T:
    """What the work answers, given the keys of the settings' store. Runs the event loop.

    Raises:
        MintkeyError: Whatever opening the store or the work itself raises.
    """
    place = open_place(settings)

    async def main() -> T:
        async with keys_at(settings, place) as keys:
            return await work(keys)

    return anyio.run(main)


@asynccontextmanager
async def keys_at(settings: Settings, place: Place, /) -> AsyncGenerator[RotatingKeyProvider]:
    """The keys at a place, closed afterwards.

    Raises:
        ConfigurationError: The settings do not fit one another (`configuration`).
    """
    keys, _ = build(settings, place)
    async with aclosing(keys):
        yield keys


def build(settings: Settings, place: Place, /) -> tuple[RotatingKeyProvider, ReplayStore]:
    """The keys and the marks at a place; nothing is opened yet.

    Args:
        settings: What the operator set.
        place: Where; it need not be that of the settings.

    Raises:
        ConfigurationError: The settings do not fit one another (`configuration`).
    """
    with naming_settings():
        return place_of(
            place.url,
            ring=settings.ring,
            algorithm=settings.algorithm,
            policy=settings.policy,
            sealer=place.sealer,
            refresh_interval=settings.refresh_interval,
            outage_tolerance=settings.outage_tolerance,
            max_clock_skew=settings.max_clock_skew,
        )


def open_place(settings: Settings, /, *, option: str = "--store") -> Place:
    """Where the settings lead; a key file is made for a new database that needs one.

    Args:
        settings: What the operator set.
        option: The option that gave the store, for messages.

    Raises:
        ConfigurationError: The store cannot be used like that (`configuration`).
        KeyProviderError: The file system did not do its part (`keys_unavailable`).
    """
    return _place(settings, option, create=True)


def find_place(settings: Settings, /, *, keys_are_elsewhere: bool = False) -> Place:
    """Where the settings lead; makes nothing. Without a sealer, a database that would need one is not there yet.

    Args:
        settings: What the operator set.
        keys_are_elsewhere: An application signs with other keys than those of a ring: then a server that has no sealer
            is taken to keep its marks, in place of being refused.

    Raises:
        ConfigurationError: As for `open_place` (`configuration`).
        KeyProviderError: As for `open_place` (`keys_unavailable`).
    """
    return _place(settings, "--store", create=False, keys_are_elsewhere=keys_are_elsewhere)


@contextmanager
def naming_settings(option: str = "--store") -> Generator[None]:
    """The library speaks of arguments; the operator set options and variables."""
    try:
        yield
    except ConfigurationError as error:
        raise type(error)(f"the store cannot be set up from {option} and MINTKEY_*: {error}") from error


def _place(settings: Settings, option: str, *, create: bool, keys_are_elsewhere: bool = False) -> Place:
    url = f"sqlite:///{_default_database(create=create)}" if settings.store is None else settings.store
    with naming_settings(option):
        kind = kind_of(url)
    if url.startswith("sqlite"):
        return _beside(url, settings.sealer, option, create=create)
    if settings.sealer is None and kind in {"sql", "redis"}:
        if keys_are_elsewhere:
            return Place(url, holds_ring=False)
        raise ConfigurationError(
            f"{url.partition(':')[0]}:// keeps private keys sealed only: set MINTKEY_SEAL_KEYS to the keys that seal "
            "those of the application; for a new store `mintkey keys seal-key` makes one"
        )
    return Place(url, settings.sealer)


def _beside(url: str, sealer: Sealer | None, option: str, *, create: bool) -> Place:
    name = url.partition(":///")[2].partition("?")[0]
    if not name or ":memory:" in name:
        raise ConfigurationError(f"{option} must name a file, as sqlite:///file.db does: memory ends with the command")
    database = Path(name)
    if sealer is not None:
        return Place(url, sealer, database)
    found = sealer_beside(database) if create else find_sealer_beside(database)
    return Place(url, found, database, key_file_of(database))


def _default_database(*, create: bool) -> Path:
    """The database in the user's data directory, which is made private if it is new and must be if it is not."""
    directory = platformdirs.user_data_path("mintkey", appauthor=False)
    try:
        with PrivateDirectory.opened(os.fspath(directory), create=create):
            pass
    except OSError as error:
        if create or not isinstance(error, FileNotFoundError):
            message = f"the data directory {directory} cannot be used: {error.strerror}; or give --store"
            raise KeyProviderError(message) from error
    return directory / "mintkey.db"
