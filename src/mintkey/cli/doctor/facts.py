"""The effective settings, without anything that is secret, and what is installed."""

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata

from mintkey._version import __version__
from mintkey.cli.doctor.operator_keys import OperatorKeys
from mintkey.cli.settings import Settings
from mintkey.cli.store import Place
from mintkey.settings.table import SETTINGS

__all__ = ["effective", "installed"]

_PACKAGES = (
    *("redis", "hiredis", "sqlalchemy", "aiosqlite", "asyncpg", "cryptography", "joserfc"),
    *("pynacl", "orjson", "pydantic-settings"),
)


def effective(settings: Settings, place: Place, operator_keys: OperatorKeys, /) -> Iterator[tuple[str, str, str]]:
    """Every setting by its name: its value for people, and where it comes from."""
    values: Mapping[str, object] = {
        "store": place.url,
        "ring": settings.ring,
        "issuer": settings.issuer,
        "audience": settings.audience,
        "lifetime": settings.lifetime,
        "algorithm": settings.algorithm,
        "rotate_every": settings.policy.every,
        "max_mints": settings.policy.max_mints,
        "previous_ttl": settings.policy.previous_ttl,
        "publish_ahead": settings.policy.publish_ahead,
        "refresh_interval": settings.refresh_interval,
        "outage_tolerance": settings.outage_tolerance,
        "max_clock_skew": settings.max_clock_skew,
    }
    shown = {name: SETTINGS[name].show(value) for name, value in values.items()}
    shown |= operator_keys.shown
    shown["seal_keys"] = _seal_keys(settings, place)
    origins = {**settings.origins, **operator_keys.origins}
    for name in SETTINGS:
        yield name, shown[name], origins[name]


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
