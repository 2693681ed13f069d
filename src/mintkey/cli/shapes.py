"""The JSON that programs get: closed shapes, instants as RFC 3339 text in UTC."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mintkey.cli.inspection import WARNING, Inspection
from mintkey.keys.base import KeyVersion
from mintkey.tokens import MintedToken, PeekedToken, VerifiedToken

__all__ = [
    "inspected_as_json",
    "minted_as_json",
    "print_json",
    "seen_as_json",
    "version_as_json",
    "whole_version_as_json",
]


def print_json(value: Mapping[str, object], /) -> None:
    """One line on stdout, in ASCII: nothing in it can steer a terminal."""
    print(json.dumps(value))


def version_as_json(version: KeyVersion, /) -> dict[str, object]:
    """A key version, without any key."""
    return {
        "kid": version.kid,
        "algorithm": version.algorithm,
        "state": version.state.value,
        "created_at": version.created_at.isoformat(),
        "activates_at": _instant(version.activates_at),
        "retires_at": _instant(version.retires_at),
        "verify_until": _instant(version.verify_until),
        "mints": version.mints,
    }


def whole_version_as_json(version: KeyVersion, /) -> dict[str, object]:
    """A key version with its public key; that is null for a secret."""
    public = None if version.public_jwk is None else dict(version.public_jwk)
    return {**version_as_json(version), "public_jwk": public}


def minted_as_json(token: MintedToken, /) -> dict[str, object]:
    """A new token and what is known about it."""
    return {
        "token": str(token),
        "id": token.id,
        "purpose": token.purpose,
        "key_id": token.key_id,
        "expires_at": token.expires_at.isoformat(),
    }


def seen_as_json(seen: VerifiedToken[dict[str, Any]] | PeekedToken[dict[str, Any]], /) -> dict[str, object]:
    """What is in a token that passed every check."""
    return {
        "purpose": seen.purpose,
        "subject": seen.subject,
        "issuer": seen.issuer,
        "audience": list(seen.audience),
        "scopes": sorted(seen.scopes),
        "id": seen.id,
        "issued_at": seen.issued_at.isoformat(),
        "expires_at": seen.expires_at.isoformat(),
        "key_id": seen.key_id,
        "claims": seen.claims,
    }


def inspected_as_json(found: Inspection, /) -> dict[str, object]:
    """What is written in a token that nobody vouches for; says so itself."""
    return {
        "verified": False,
        "warning": WARNING,
        "header": found.header,
        "claims": found.claims,
        **{name: instant.isoformat() for name, instant in found.times.items()},
        "typ_fits": found.typ_fits,
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
