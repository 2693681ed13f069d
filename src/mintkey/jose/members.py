"""Reads the members of a JWK strictly, before anything else looks at them (RFC 7517 §4, RFC 7518 §6)."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from mintkey.jose import base64url

__all__ = ["UnfitKeyError", "check_kid", "check_operations", "kind_of", "number", "octets", "text"]

_KID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_OPERATIONS = frozenset({"sign", "verify"})


class UnfitKeyError(ValueError):
    """A key that we refuse. The message names members and limits and never quotes a value, so it may be shown."""


def check_kid(kid: object, /) -> TypeGuard[str]:
    """Whether this is a key id that we use: 1 to 128 characters that mean nothing in a URL, a path or a query.

    Example:
        >>> check_kid("2026-01"), check_kid("../../etc/passwd")
        (True, False)
    """
    return isinstance(kid, str) and _KID.fullmatch(kid) is not None


def text(jwk: Mapping[str, Any], name: str, /) -> str:
    """A member that must be a string.

    Raises:
        UnfitKeyError: It is missing or something else.
    """
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnfitKeyError(f"{name} is missing or no string")
    return value


def kind_of(jwk: object, /) -> tuple[str, str | None]:
    """The key type, and the curve of a key that lies on one.

    Raises:
        UnfitKeyError: It is no mapping, or one of them is missing.
    """
    if not isinstance(jwk, Mapping):
        raise UnfitKeyError("not a JWK")
    members = cast("Mapping[str, Any]", jwk)
    kty = text(members, "kty")
    return kty, text(members, "crv") if kty in {"EC", "OKP"} else None


def octets(jwk: Mapping[str, Any], name: str, /, *, size: int | None = None) -> bytes:
    """A member that must be base64url.

    Args:
        jwk: The JWK.
        name: The member.
        size: The exact number of bytes, leading zeros included (RFC 7518 §6.2.1.2); None: at least one.

    Raises:
        UnfitKeyError: It is missing, not base64url, or not of that size.
    """
    try:
        found = base64url.decode(text(jwk, name))
    except UnfitKeyError:
        raise
    except ValueError:
        found = b""
    if not found:
        raise UnfitKeyError(f"{name} is not base64url, or empty")
    if size is not None and len(found) != size:
        raise UnfitKeyError(f"{name} has {len(found)} bytes instead of {size}")
    return found


def number(jwk: Mapping[str, Any], name: str, /) -> int:
    """A member that must be a Base64urlUInt (RFC 7518 §2).

    Leading zeros are let through: some libraries write them (RFC 7518 §6.3.1.1), and the number is the same.

    Raises:
        UnfitKeyError: It is missing or not base64url.
    """
    return int.from_bytes(octets(jwk, name), "big")


def check_operations(jwk: Mapping[str, Any], /, *, private: bool, secret: bool) -> bool:
    """Whether the key may sign, as far as `use` and `key_ops` say (RFC 7517 §4.2, §4.3).

    Args:
        jwk: The JWK.
        private: Whether it has a private part, or is a secret.
        secret: Whether it is a secret, which must verify too.

    Raises:
        UnfitKeyError: They say that the key is not for signatures.
    """
    if jwk.get("use", "sig") != "sig":
        raise UnfitKeyError('use must be "sig" or left out')
    if "key_ops" not in jwk:
        return private
    operations = jwk["key_ops"]
    if not isinstance(operations, list) or not all(isinstance(each, str) for each in cast("list[object]", operations)):
        raise UnfitKeyError("key_ops must be a list of strings")
    named = frozenset(cast("list[str]", operations))
    # A key for signatures and for something else too invites attacks across the two (RFC 7517 §4.3).
    if not named or not named <= _OPERATIONS:
        raise UnfitKeyError('key_ops may name "sign" and "verify" only')
    signs = private and "sign" in named
    if "verify" not in named and (secret or not signs):
        raise UnfitKeyError('key_ops must name "verify"')
    return signs
