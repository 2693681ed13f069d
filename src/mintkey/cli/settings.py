"""What the operator set, in options or in `MINTKEY_*`; every mistake is named, all of them at once."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mintkey.cli.lookup import Lookup, variable_of
from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS
from mintkey.keys.base import Algorithm
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer

__all__ = ["Settings", "read_sealer", "read_settings", "ring_settings"]

_COUNT = re.compile(r"[1-9][0-9]{0,17}")
_ZERO = timedelta(0)


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
    seal_keys = _split(lookup.text("seal_keys"))
    settings = Settings(
        store=lookup.text("store", store),
        ring=lookup.text("ring", ring) or "default",
        issuer=lookup.text("issuer", issuer) or "",
        audience=_audience(lookup, audience or ()),
        lifetime=lookup.duration("lifetime", lifetime, default=None),
        algorithm=_algorithm(lookup),
        policy=_policy(lookup),
        refresh_interval=lookup.duration("refresh_interval", default=timedelta(seconds=5)),
        outage_tolerance=lookup.duration("outage_tolerance", default=timedelta(minutes=10)),
        max_clock_skew=lookup.duration("max_clock_skew", default=timedelta(seconds=5), words={"0": _ZERO}),
        sealer=_sealer(environ, problems),
        seal_keys=len(seal_keys),
        origins=lookup.origins,
    )
    if needs_issuer and not settings.issuer and issuer is None:
        problems.append("the issuer is not set: give --issuer or MINTKEY_ISSUER, the iss of your tokens")
    return settings


def read_sealer(environ: Mapping[str, str], variable: str, /) -> Sealer | None:
    """The sealer of the seal keys in a variable of any name; None if it is not set.

    Raises:
        ConfigurationError: They cannot be used; the message names the variable and quotes nothing (`configuration`).
    """
    keys = _split(environ.get(variable))
    try:
        return Sealer(keys) if keys else None
    except ConfigurationError as error:
        raise ConfigurationError(f"{variable} cannot be used: {error}") from None


def _audience(lookup: Lookup, given: Sequence[str]) -> tuple[str, ...]:
    text = lookup.text("audience", "" if "" in given else ",".join(given) or None) or ""
    return tuple(given) or tuple(name for name in map(str.strip, text.split(",")) if name)


def _algorithm(lookup: Lookup) -> Algorithm:
    text = lookup.text("algorithm")
    for name in SPECS:
        if name == (text or "EdDSA"):
            return name
    lookup.problem("algorithm", f"must be one of {', '.join(SPECS)}")
    return "EdDSA"


def _policy(lookup: Lookup) -> RotationPolicy:
    """The policy of the ring. It must be that of the application, or a rotation by hand would end keys too early."""
    defaults = RotationPolicy()
    return RotationPolicy(
        every=lookup.duration("rotate_every", default=defaults.every, words={"never": None}),
        max_mints=_max_mints(lookup),
        previous_ttl=lookup.duration("previous_ttl", default=defaults.previous_ttl),
        publish_ahead=lookup.duration("publish_ahead", default=defaults.publish_ahead, words={"0": _ZERO}),
    )


def _max_mints(lookup: Lookup) -> int | None:
    text = lookup.text("max_mints")
    if text is None or _COUNT.fullmatch(text):
        return None if text is None else int(text)
    lookup.problem("max_mints", "must be a whole number from 1")
    return None


def _split(text: str | None) -> list[str]:
    """The seal keys in a text that holds one or several, with commas between them."""
    return [key.strip() for key in text.split(",")] if text else []


def _sealer(environ: Mapping[str, str], problems: list[str]) -> Sealer | None:
    try:
        return read_sealer(environ, variable_of("seal_keys"))
    except ConfigurationError as error:
        problems.append(str(error))
        return None
