"""What the operator set, in options or in `MINTKEY_*`; every mistake is named, all of them at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mintkey.cli import durations
from mintkey.errors import ConfigurationError
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Sealer

__all__ = ["Settings", "read_settings"]

_COUNT = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for all commands.

    Attributes:
        store: The URL of the store; None: the one in the user's data directory.
        issuer: The `iss`; empty where a command needs none and none was set.
        audience: The `aud`; empty: none.
        lifetime: How long a new token lives; None: as the purpose says.
        policy: When keys rotate.
        sealer: From `MINTKEY_SEAL_KEYS`; None: not set.
    """

    store: str | None
    issuer: str
    audience: tuple[str, ...]
    lifetime: timedelta | None
    policy: RotationPolicy
    sealer: Sealer | None = field(repr=False)


def read_settings(
    environ: Mapping[str, str],
    problems: list[str],
    /,
    *,
    store: str | None,
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
        issuer: The option `--issuer`.
        audience: The options `--audience`.
        lifetime: The option `--lifetime`.
        needs_issuer: Whether the command cannot do without an issuer.
    """
    reader = _Reader(environ, problems)
    settings = Settings(
        store=reader.text("--store", store, "MINTKEY_STORE"),
        issuer=reader.text("--issuer", issuer, "MINTKEY_ISSUER") or "",
        audience=_audience(reader, audience or ()),
        lifetime=reader.duration("--lifetime", lifetime, "MINTKEY_LIFETIME"),
        policy=_policy(reader),
        sealer=_sealer(reader),
    )
    if needs_issuer and not settings.issuer and issuer is None:
        problems.append("the issuer is not set: give --issuer or MINTKEY_ISSUER, the iss of your tokens")
    return settings


class _Reader:
    """Looks up one setting at a time and remembers by which name it was set."""

    def __init__(self, environ: Mapping[str, str], problems: list[str]) -> None:
        self._environ = environ
        self._problems = problems

    def variable(self, name: str, /) -> str | None:
        return self._environ.get(name) or None

    def text(self, option: str, given: str | None, variable: str, /) -> str | None:
        if given == "":
            self.problem(option, "must not be empty")
        return self.variable(variable) if given is None else given

    def duration(self, option: str, given: str | None, variable: str, /) -> timedelta | None:
        text = self.variable(variable) if given is None else given
        try:
            return None if text is None else durations.parse(text)
        except ValueError as error:
            self.problem(variable if given is None else option, str(error))
            return None

    def problem(self, name: str, text: str, /) -> None:
        self._problems.append(f"{name} {text}")


def _audience(reader: _Reader, given: Sequence[str]) -> tuple[str, ...]:
    if "" in given:
        reader.problem("--audience", "must not be empty")
    text = reader.variable("MINTKEY_AUDIENCE") or ""
    return tuple(given) or tuple(name for name in map(str.strip, text.split(",")) if name)


def _policy(reader: _Reader) -> RotationPolicy:
    """The policy of the ring. It must be that of the application, or a rotation by hand would end keys too early."""
    defaults = RotationPolicy()
    every, publish_ahead = defaults.every, defaults.publish_ahead
    if reader.variable("MINTKEY_ROTATE_EVERY") == "never":
        every = None
    else:
        every = reader.duration("", None, "MINTKEY_ROTATE_EVERY") or every
    if reader.variable("MINTKEY_PUBLISH_AHEAD") == "0":
        publish_ahead = timedelta(0)
    else:
        publish_ahead = reader.duration("", None, "MINTKEY_PUBLISH_AHEAD") or publish_ahead
    return RotationPolicy(
        every=every,
        max_mints=_max_mints(reader),
        previous_ttl=reader.duration("", None, "MINTKEY_PREVIOUS_TTL") or defaults.previous_ttl,
        publish_ahead=publish_ahead,
    )


def _max_mints(reader: _Reader) -> int | None:
    text = reader.variable("MINTKEY_MAX_MINTS")
    if text is None or _COUNT.fullmatch(text):
        return None if text is None else int(text)
    reader.problem("MINTKEY_MAX_MINTS", "must be a whole number from 1")
    return None


def _sealer(reader: _Reader) -> Sealer | None:
    text = reader.variable("MINTKEY_SEAL_KEYS")
    try:
        return None if text is None else Sealer([key.strip() for key in text.split(",")])
    except ConfigurationError as error:
        reader.problem("MINTKEY_SEAL_KEYS", f"cannot be used: {error}")
        return None
