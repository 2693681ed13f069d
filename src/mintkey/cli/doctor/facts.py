"""The effective settings, without anything that is secret, and what is installed."""

import platform
from collections.abc import Iterator
from importlib import metadata

from mintkey._version import __version__
from mintkey.cli import durations
from mintkey.cli.redaction import redacted
from mintkey.cli.settings import Settings
from mintkey.cli.store import Place

__all__ = ["effective", "installed"]

_PACKAGES = ("redis", "hiredis", "sqlalchemy", "aiosqlite", "asyncpg", "cryptography", "joserfc", "pynacl", "orjson")


def effective(settings: Settings, place: Place, /) -> Iterator[tuple[str, str, str]]:
    """Every setting by its name: its value for people, and where it comes from."""
    policy, origins = settings.policy, settings.origins
    values = {
        "store": redacted(place.url),
        "ring": settings.ring,
        "seal_keys": _seal_keys(settings, place),
        "issuer": settings.issuer or "not set",
        "audience": ", ".join(settings.audience) or "not set",
        "lifetime": "as the purpose says" if settings.lifetime is None else durations.as_text(settings.lifetime),
        "algorithm": settings.algorithm,
        "rotate_every": "never" if policy.every is None else durations.as_text(policy.every),
        "max_mints": "no limit" if policy.max_mints is None else f"{policy.max_mints:,}",
        "previous_ttl": durations.as_text(policy.previous_ttl),
        "publish_ahead": durations.as_text(policy.publish_ahead),
        "refresh_interval": durations.as_text(settings.refresh_interval),
        "outage_tolerance": durations.as_text(settings.outage_tolerance),
        "max_clock_skew": durations.as_text(settings.max_clock_skew),
    }
    for name, value in values.items():
        yield name, value, origins[name]


def installed() -> dict[str, str | None]:
    """The versions of what we stand on; None for what is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "mintkey": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _seal_keys(settings: Settings, place: Place) -> str:
    if settings.sealer is not None:
        return f"set ({settings.seal_keys} {'key' if settings.seal_keys == 1 else 'keys'})"
    if place.key_file is None:
        return "not set"
    return f"in the file {place.key_file}" if place.sealer is not None else f"will be in the file {place.key_file}"
