"""From the argument PURPOSE to a purpose: a preset by its name, or one of the operator's own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from mintkey import presets
from mintkey.errors import ConfigurationError
from mintkey.purpose import Purpose

__all__ = ["PRESETS", "PurposeArguments", "purpose_of"]

PRESETS: Mapping[str, Purpose[dict[str, Any]]] = MappingProxyType(
    {
        purpose.name: purpose
        for purpose in (
            presets.MAGIC_LINK,
            presets.EMAIL_VERIFY,
            presets.PASSWORD_RESET,
            presets.PAYMENT_APPROVAL,
            presets.ACCESS,
            presets.REFRESH,
            presets.SERVICE,
        )
    }
)
"""The presets by name."""

_NAME = re.compile(r"[a-z0-9._-]{1,64}")
# Verifying does not look at the purpose's lifetime: the token says when it expires.
_ANY_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeArguments:
    """What the operator said about a purpose.

    Attributes:
        name: A preset's name, or another one.
        single_use: `--single-use`.
        revocable: `--revocable`.
        typ: `--typ`.
    """

    name: str
    single_use: bool
    revocable: bool
    typ: str | None


def purpose_of(
    given: PurposeArguments,
    problems: list[str],
    /,
    *,
    audience: Sequence[str],
    lifetime: timedelta | None,
    is_minting: bool,
) -> Purpose[dict[str, Any]]:
    """The purpose that the operator means.

    Args:
        given: The arguments.
        problems: What is wrong is added here; the purpose is fit for use if nothing was.
        audience: The `aud`; empty: that of the preset, or none.
        lifetime: The lifetime of a purpose of the operator's own; a preset brings its own.
        is_minting: Whether the lifetime matters.
    """
    preset = PRESETS.get(given.name)
    try:
        if preset is not None:
            problems += _contradictions(given, preset)
            return preset.replace(audience=audience) if audience else preset
        return _own(given, problems, audience=audience, lifetime=lifetime, is_minting=is_minting)
    except ConfigurationError as error:
        problems.append(str(error))
        return presets.ACCESS


def _contradictions(given: PurposeArguments, preset: Purpose[dict[str, Any]]) -> list[str]:
    checks = {
        "--single-use": given.single_use and not preset.single_use,
        "--revocable": given.revocable and not preset.revocable,
        "--typ": given.typ is not None and given.typ != preset.typ,
    }
    options = ", ".join(option for option, contradicts in checks.items() if contradicts)
    return [f"{options} cannot change the preset {preset.name}: use a name of your own"] if options else []


def _own(
    given: PurposeArguments,
    problems: list[str],
    *,
    audience: Sequence[str],
    lifetime: timedelta | None,
    is_minting: bool,
) -> Purpose[dict[str, Any]]:
    if _NAME.fullmatch(given.name) is None:
        # The text is not repeated: it may be a token that somebody put there.
        raise ConfigurationError(
            f"PURPOSE must be a preset ({', '.join(PRESETS)}) or a name of 1–64 characters of [a-z0-9._-]; "
            "a token goes to stdin"
        )
    if is_minting and lifetime is None:
        problems.append(f"{given.name} is no preset, so it needs --lifetime or MINTKEY_LIFETIME")
    return Purpose(
        given.name,
        lifetime=lifetime or _ANY_LIFETIME,
        audience=audience or None,
        single_use=given.single_use,
        revocable=given.revocable,
        typ=given.typ,
    )
