"""What the operator set, in options or in `MINTKEY_*`; every mistake is named, all of them at once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mintkey.errors import ConfigurationError
from mintkey.keys.base import Algorithm
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer
from mintkey.settings import table
from mintkey.settings.lookup import Lookup, find
from mintkey.settings.texts import read_seal_keys, seal_keys_in

__all__ = ["Settings", "read_sealer", "read_settings", "ring_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for all commands.

    Attributes:
        store: The URL of the store; None: the one in the user's data directory.
        ring: The name of the key ring in the store.
        issuer: The `iss`; empty where a command needs none and none was set.
        audience: The `aud`; empty: none.
        lifetime: How long a new token lives; None: as the purpose says.
        algorithm: What new key versions are for.
        policy: When keys rotate.
        refresh_interval: How old a process's view of the ring may become.
        outage_tolerance: How long signing and verifying go on while the store is away.
        max_clock_skew: How far clocks may differ.
        sealer: From `MINTKEY_SEAL_KEYS`; None: not set.
        seal_keys: How many keys those are.
        origins: Where each came from: an option, a variable, or `default`.
    """

    store: str | None = field(repr=False)
    ring: str
    issuer: str
    audience: tuple[str, ...]
    lifetime: timedelta | None
    algorithm: Algorithm
    policy: RotationPolicy
    refresh_interval: timedelta
    outage_tolerance: timedelta
    max_clock_skew: timedelta
    sealer: Sealer | None = field(repr=False)
    seal_keys: int
    origins: Mapping[str, str]


def ring_settings(*, store: str | None, ring: str | None) -> Settings:
    """The settings for a command that needs nothing but a key ring.

    Raises:
        ConfigurationError: Something is wrong, all of it at once (`configuration`).
    """
    problems: list[str] = []
    settings = read_settings(os.environ, problems, store=store, ring=ring)
    ConfigurationError.raise_if(problems)
    return settings


def read_settings(
    environ: Mapping[str, str],
    problems: list[str],
    /,
    *,
    store: str | None,
    ring: str | None = None,
    issuer: str | None = None,
    audience: Sequence[str] | None = None,
    lifetime: str | None = None,
    needs_issuer: bool = False,
) -> Settings:
    """The settings; an option wins over its variable, and an empty variable counts as not set.

    A variable `MINTKEY_<NAME>_FILE` names a file that holds the value, as it does for applications.

    Args:
        environ: The environment variables.
        problems: What is wrong is added here; the settings are fit for use if nothing was.
        store: The option `--store`.
        ring: The option `--ring`.
        issuer: The option `--issuer`.
        audience: The options `--audience`.
        lifetime: The option `--lifetime`.
        needs_issuer: Whether the command cannot do without an issuer.
    """
    lookup = Lookup(environ, problems)
    seal_keys = seal_keys_in(lookup.value(table.SEAL_KEYS))
    settings = Settings(
        store=lookup.value(table.STORE, store),
        ring=lookup.value(table.RING, ring),
        issuer=lookup.value(table.ISSUER, issuer),
        audience=_audience(lookup, audience or ()),
        lifetime=lookup.value(table.LIFETIME, lifetime),
        algorithm=lookup.value(table.ALGORITHM),
        policy=_policy(lookup),
        refresh_interval=lookup.value(table.REFRESH_INTERVAL),
        outage_tolerance=lookup.value(table.OUTAGE_TOLERANCE),
        max_clock_skew=lookup.value(table.MAX_CLOCK_SKEW),
        sealer=Sealer(seal_keys) if seal_keys else None,
        seal_keys=len(seal_keys),
        origins=lookup.origins,
    )
    if needs_issuer and not settings.issuer and issuer is None:
        problems.append("the issuer is not set: give --issuer or MINTKEY_ISSUER, the iss of your tokens")
    return settings


def read_sealer(environ: Mapping[str, str], variable: str, /) -> Sealer | None:
    """The sealer of the seal keys in a variable of any name, or in the file that it names with `_FILE` behind it.

    None if neither is set.

    Raises:
        ConfigurationError: They cannot be used; the message names the variable and quotes nothing (`configuration`).
    """
    found = find(environ, variable)
    if found is None:
        return None
    problem = found.problem
    if problem is None:
        try:
            return Sealer(seal_keys_in(read_seal_keys(found.text)))
        except ValueError as error:
            problem = str(error)
    raise ConfigurationError(f"{found.label} {problem}")


def _audience(lookup: Lookup, given: Sequence[str]) -> tuple[str, ...]:
    found = lookup.value(table.AUDIENCE, "" if "" in given else ",".join(given) or None)
    return tuple(given) or found  # what was given one by one may have commas in it


def _policy(lookup: Lookup) -> RotationPolicy:
    """The policy of the ring. It must be that of the application, or a rotation by hand would end keys too early."""
    return RotationPolicy(
        every=lookup.value(table.ROTATE_EVERY),
        max_mints=lookup.value(table.MAX_MINTS),
        previous_ttl=lookup.value(table.PREVIOUS_TTL),
        publish_ahead=lookup.value(table.PUBLISH_AHEAD),
    )
