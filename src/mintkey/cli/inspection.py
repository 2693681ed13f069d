"""A look into a token that nobody vouches for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mintkey.claims import strict_json
from mintkey.clock import from_timestamp
from mintkey.errors import MalformedTokenError, Reason
from mintkey.jose import base64url
from mintkey.jose.compact import same_typ

__all__ = ["WARNING", "Inspection", "inspect"]

WARNING = "NOT VERIFIED: anybody can have written this; only `token verify` can tell."

_MAX_BYTES = 16_384
_LATEST = 253_370_764_800  # 9999-01-01
_PARTS = 3
_TIMES = {"iat": "issued_at", "nbf": "not_before", "exp": "expires_at"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is written in a token. None of it is to be trusted.

    Attributes:
        header: The header, as it is.
        claims: The type of each claim by its name. Values stay out: they are people's data, and tickets are public.
        times: The times that are there and mean an instant.
        typ_fits: Whether `typ` is the expected one; None if none was expected.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, str]
    times: Mapping[str, datetime]
    typ_fits: bool | None


def inspect(token: str, /, *, typ: str | None) -> Inspection:
    """Decode a token without a key.

    Args:
        token: What somebody claims to be a token.
        typ: The `typ` that is expected; None if any is fine.

    Raises:
        MalformedTokenError: It is too long (`too_large`), or no compact JWS of two JSON objects (`malformed`).
    """
    if len(token) > _MAX_BYTES:
        raise MalformedTokenError(f"the token is longer than {_MAX_BYTES} bytes", reason=Reason.TOO_LARGE)
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise MalformedTokenError("a token has three parts, with dots between them")
    try:
        header, claims = (strict_json.loads(base64url.decode(part)) for part in parts[:2])
        base64url.decode(parts[2])
    except ValueError:
        raise MalformedTokenError("the parts of the token are not base64url text of JSON objects") from None
    found = header.get("typ")
    return Inspection(
        header=header,
        claims={name: _type_of(value) for name, value in claims.items()},
        times={_TIMES[name]: from_timestamp(claims[name]) for name in _TIMES if _is_instant(claims.get(name))},
        typ_fits=None if typ is None else isinstance(found, str) and same_typ(found, typ),
    )


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case dict():
            return "object"
        case _:
            return "null"


def _is_instant(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST
