"""From the settings to keys and marks: which store, sealed with what."""

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import platformdirs

from mintkey.cli.seal_file import sealer_beside
from mintkey.cli.settings import Settings
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.files.private import PrivateDirectory
from mintkey.keys.base import IKeyProvider
from mintkey.keys.sealing import Sealer
from mintkey.places import place_of
from mintkey.service import TokenService

__all__ = ["with_keys", "with_service"]

T = TypeVar("T")


class _Closable(Protocol):
    async def aclose(self) -> None: ...


R = TypeVar("R", bound=_Closable)


def with_service(settings: Settings, work: Callable[[TokenService], Awaitable[T]], /) -> T:
    """What the work answers, given a service on the store of the settings. Runs the event loop.

    Raises:
        MintkeyError: Whatever opening the store or the work itself raises.
    """
    url, sealer = _place(settings)
    with _naming_settings():
        service = TokenService.from_url(url, issuer=settings.issuer, policy=settings.policy, sealer=sealer)
    return _run(service, work)


def with_keys(settings: Settings, work: Callable[[IKeyProvider], Awaitable[T]], /) -> T:
    """What the work answers, given the keys of the settings' store. Runs the event loop.

    Raises:
        MintkeyError: Whatever opening the store or the work itself raises.
    """
    url, sealer = _place(settings)
    with _naming_settings():
        keys, _ = place_of(url, policy=settings.policy, sealer=sealer, clock=None)
    return _run(keys, work)


@contextmanager
def _naming_settings() -> Generator[None]:
    """The library speaks of arguments; the operator set options and variables."""
    try:
        yield
    except ConfigurationError as error:
        raise type(error)(f"the store cannot be set up from --store and MINTKEY_*: {error}") from error


def _run(resource: R, work: Callable[[R], Awaitable[T]]) -> T:
    """The one place where the event loop runs for a command."""

    async def main() -> T:
        # Closed, but not entered: nothing is opened that the work does not need, and no upkeep starts for one command.
        async with aclosing(resource):
            return await work(resource)

    return anyio.run(main)


def _place(settings: Settings) -> tuple[str, Sealer | None]:
    """The URL of the store, and what seals its private keys."""
    url = f"sqlite:///{_default_database()}" if settings.store is None else settings.store
    if settings.sealer is not None or not url.startswith("sqlite"):
        return url, settings.sealer
    name = url.partition(":///")[2].partition("?")[0]
    if not name or ":memory:" in name:
        raise ConfigurationError("--store must name a file, as sqlite:///file.db does: memory ends with the command")
    return url, sealer_beside(Path(name))


def _default_database() -> Path:
    """The database in the user's data directory, which is made private if it is new and must be if it is not."""
    directory = platformdirs.user_data_path("mintkey", appauthor=False)
    try:
        with PrivateDirectory.opened(os.fspath(directory), create=True):
            return directory / "mintkey.db"
    except OSError as error:
        message = f"the data directory {directory} cannot be used: {error.strerror}; or give --store"
        raise KeyProviderError(message) from error
