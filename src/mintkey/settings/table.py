"""Every setting there is: its name, what its text means, what holds without it, and how it is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from mintkey.jose.algorithms import SPECS
from mintkey.keys.base import Algorithm
from mintkey.keys.policy import RotationPolicy
from mintkey.settings import durations
from mintkey.settings.redaction import redacted
from mintkey.settings.texts import (
    NOT_SET,
    read_algorithm,
    read_count,
    read_duration,
    read_keys,
    read_names,
    read_seal_keys,
    show_keys,
    show_or,
    show_seal_keys,
)

__all__ = [
    "ACTIVE_KID",
    "ALGORITHM",
    "AUDIENCE",
    "ISSUER",
    "KEYS",
    "LIFETIME",
    "MAX_CLOCK_SKEW",
    "MAX_MINTS",
    "OUTAGE_TOLERANCE",
    "PREFIX",
    "PREVIOUS_TTL",
    "PUBLISH_AHEAD",
    "REFRESH_INTERVAL",
    "RING",
    "ROTATE_EVERY",
    "SEAL_KEYS",
    "SETTINGS",
    "STORE",
    "Setting",
    "variable_of",
]

T = TypeVar("T")

PREFIX = "MINTKEY_"
"""What stands in front of every variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """One setting.

    Attributes:
        name: Its name; the variable is called `MINTKEY_` and the name in capitals.
        about: What it is for, in a sentence or two.
        default: What holds where it is not set.
        read: What its text means; the message of the ValueError ends a sentence that begins with the name, and quotes
            nothing.
        show: A value for people, without anything secret.
        is_secret: Whether its value may hold a secret.
        is_of_ring: Whether it says how a ring rotates, which means nothing for keys that do not rotate by themselves.

    Example:
        >>> MAX_MINTS.show(MAX_MINTS.read("1000000")), MAX_MINTS.show(MAX_MINTS.default)
        ('1,000,000', 'no limit')
    """

    name: str
    about: str
    default: T
    read: Callable[[str], T]
    show: Callable[[T], str]
    is_secret: bool = False
    is_of_ring: bool = False


def variable_of(name: str, /, *, prefix: str = PREFIX) -> str:
    """The variable of a setting.

    Example:
        >>> variable_of("seal_keys")
        'MINTKEY_SEAL_KEYS'
    """
    return f"{prefix}{name}".upper()


def _rotate_every(text: str) -> timedelta | None:
    return None if text.strip() == "never" else durations.parse(text)


_POLICY = RotationPolicy()
_ZERO = MappingProxyType({"0": timedelta(0)})


def _time_of_ring(name: str, about: str, *, default: timedelta, may_be_zero: bool = False) -> Setting[timedelta]:
    read = partial(read_duration, words=_ZERO) if may_be_zero else read_duration
    return Setting(name=name, about=about, default=default, read=read, show=durations.as_text, is_of_ring=True)


STORE: Setting[str | None] = Setting(
    name="store",
    about="The URL of the place where keys and the marks of spent and revoked tokens are.",
    default=None,
    read=str.strip,
    show=show_or(NOT_SET, redacted),
    is_secret=True,
)
RING: Setting[str] = Setting(
    name="ring",
    about="The name of the key ring in the store; one store may hold several.",
    default="default",
    read=str.strip,
    show=str,
    is_of_ring=True,
)
SEAL_KEYS: Setting[str | None] = Setting(
    name="seal_keys",
    about="The keys that seal private keys at rest, with commas: the first seals, all open. "
    "`mintkey keys seal-key` makes one.",
    default=None,
    read=read_seal_keys,
    show=show_or(NOT_SET, show_seal_keys),
    is_secret=True,
    is_of_ring=True,
)
KEYS: Setting[str | None] = Setting(
    name="keys",
    about="Keys that their operator rotates, in place of a ring: a JWK Set, a JWK, PEM keys (line breaks may be "
    "escaped or gone, or the whole base64-encoded), or the path of a file or directory of such.",
    default=None,
    read=read_keys,
    show=show_or(NOT_SET, show_keys),
    is_secret=True,
)
ACTIVE_KID: Setting[str | None] = Setting(
    name="active_kid",
    about="Which of these keys signs; needed where several can.",
    default=None,
    read=str.strip,
    show=show_or(NOT_SET, str),
)
ISSUER: Setting[str] = Setting(
    name="issuer",
    about="The iss of every token (RFC 7519 §4.1.1).",
    default="",
    read=str.strip,
    show=lambda issuer: issuer or NOT_SET,
)
AUDIENCE: Setting[tuple[str, ...]] = Setting(
    name="audience",
    about="The aud of tokens, several with commas (RFC 7519 §4.1.3).",
    default=(),
    read=read_names,
    show=lambda audience: ", ".join(audience) or NOT_SET,
)
LIFETIME: Setting[timedelta | None] = Setting(
    name="lifetime",
    about="How long a token lives, at most as long as its purpose says.",
    default=None,
    read=read_duration,
    show=show_or("as the purpose says", durations.as_text),
)
ALGORITHM: Setting[Algorithm] = Setting(
    name="algorithm",
    about=f"What new keys are for, and those that do not say so themselves: one of {', '.join(SPECS)}.",
    default="EdDSA",
    read=read_algorithm,
    show=str,
)
ROTATE_EVERY: Setting[timedelta | None] = Setting(
    name="rotate_every",
    about="For how long a key signs before its successor takes over, or `never`.",
    default=_POLICY.every,
    read=_rotate_every,
    show=show_or("never", durations.as_text),
    is_of_ring=True,
)
MAX_MINTS: Setting[int | None] = Setting(
    name="max_mints",
    about="How many tokens a key signs at most, counted over the whole fleet.",
    default=_POLICY.max_mints,
    read=read_count,
    show=show_or("no limit", "{:,}".format),
    is_of_ring=True,
)
PREVIOUS_TTL: Setting[timedelta] = _time_of_ring(
    "previous_ttl",
    "For how long a key verifies after it stopped signing; no token outlives it.",
    default=_POLICY.previous_ttl,
)
PUBLISH_AHEAD: Setting[timedelta] = _time_of_ring(
    "publish_ahead",
    "For how long a key is public before it signs; 0 if nobody outside caches the keys.",
    default=_POLICY.publish_ahead,
    may_be_zero=True,
)
REFRESH_INTERVAL: Setting[timedelta] = _time_of_ring(
    "refresh_interval",
    "How old a process's view of the ring may become.",
    default=timedelta(seconds=5),
)
OUTAGE_TOLERANCE: Setting[timedelta] = _time_of_ring(
    "outage_tolerance",
    "For how long signing and verifying go on while the store is away.",
    default=timedelta(minutes=10),
)
MAX_CLOCK_SKEW: Setting[timedelta] = _time_of_ring(
    "max_clock_skew",
    "How far the clocks of processes and verifiers may differ, or 0.",
    default=timedelta(seconds=5),
    may_be_zero=True,
)

SETTINGS: Mapping[str, Setting[Any]] = MappingProxyType(
    {
        setting.name: setting
        for setting in (
            STORE,
            RING,
            SEAL_KEYS,
            KEYS,
            ACTIVE_KID,
            ISSUER,
            AUDIENCE,
            LIFETIME,
            ALGORITHM,
            ROTATE_EVERY,
            MAX_MINTS,
            PREVIOUS_TTL,
            PUBLISH_AHEAD,
            REFRESH_INTERVAL,
            OUTAGE_TOLERANCE,
            MAX_CLOCK_SKEW,
        )
    }
)
"""All of them by name, in the order in which they are shown."""
