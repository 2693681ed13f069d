"""The keys of `MINTKEY_KEYS`, which an application signs with in place of a ring: whether they can be used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import anyio

from mintkey.cli.settings import Settings
from mintkey.errors import ConfigurationError
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.settings import table
from mintkey.settings.fixed_keys import fixed_keys
from mintkey.settings.lookup import Lookup

__all__ = ["OperatorKeys", "read_operator_keys"]


@dataclass(frozen=True, slots=True)
class OperatorKeys:
    """What is set of them.

    Attributes:
        shown: Their settings for people, without any key.
        origins: Where each came from.
        versions: The keys; empty if none are set.
    """

    shown: Mapping[str, str]
    origins: Mapping[str, str]
    versions: tuple[KeyVersion, ...] = ()

    def notes(self) -> Iterator[str]:
        """A sentence for whoever does not expect them."""
        signs = next((version.kid for version in self.versions if version.state is KeyState.ACTIVE), None)
        if signs is not None:
            count = len(self.versions)
            keys = "the only key" if count == 1 else f"one of {count} keys"
            yield (
                f"{self.origins['keys']} is set: an application that takes its settings from the environment signs "
                f"with {signs}, {keys} there. Every command here works on the ring in the store."
            )


def read_operator_keys(environ: Mapping[str, str], problems: list[str], settings: Settings, /) -> OperatorKeys:
    """The keys that are set, loaded as an application loads them. Runs the event loop.

    Args:
        environ: The environment variables.
        problems: What is wrong is added here.
        settings: The other settings.
    """
    lookup = Lookup(environ, problems)
    keys, active_kid = lookup.value(table.KEYS), lookup.value(table.ACTIVE_KID)
    shown = {"keys": table.KEYS.show(keys), "active_kid": table.ACTIVE_KID.show(active_kid)}
    if keys is None:
        return OperatorKeys(shown, lookup.origins)
    algorithm = None if settings.origins["algorithm"] == "default" else settings.algorithm
    versions: tuple[KeyVersion, ...] = ()
    try:
        versions = tuple(anyio.run(fixed_keys(keys, active_kid=active_kid, algorithm=algorithm).versions))
    except ConfigurationError as error:
        problems.append(str(error))
    return OperatorKeys(shown, lookup.origins, versions)
