"""Which documents are rings: every member there and of its type, no kid twice, no private half in the open."""

from typing import Any

from tests.security.fuzz.reference import json_text
from tests.security.fuzz.reference.keys import check_kid
from tests.security.fuzz.reference.verdict import Refused

__all__ = ["judge"]

_ALGORITHMS = "EdDSA ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512 HS256 HS384 HS512".split()
_END = 253_402_300_799


def judge(document: bytes) -> dict[str, Any]:
    """The members of a ring document."""
    ring = json_text.read(document, max_depth=8)
    if type(ring.get("format")) is not int or ring["format"] != 1:
        raise Refused("format")
    _members(ring, format=_is_any, versions=_is_list, tombstones=_is_list)
    for version in ring["versions"]:
        _members(
            version,
            kid=check_kid,
            algorithm=lambda value: type(value) is str and value in _ALGORITHMS,
            public_jwk=_is_any,
            handle=_is_text,
            erase_when_retiring=_is_flag,
            created_at=_is_time,
            activates_at=_is_open_or_time,
            retires_at=_is_open_or_time,
            verify_until=_is_open_or_time,
            revoked_at=_is_open_or_time,
            revoked_because=_is_text,
        )
        _check_public(version)
        if (version["retires_at"] is None) != (version["verify_until"] is None):
            raise Refused("an end without a beginning of the end")
    for stone in ring["tombstones"]:
        _members(stone, kid=check_kid, revoked=_is_flag)
    kids = [each["kid"] for each in (*ring["versions"], *ring["tombstones"])]
    if len(set(kids)) < len(kids):
        raise Refused("a kid twice")
    return ring


def _check_public(version: dict[str, Any]) -> None:
    public = version["public_jwk"]
    if version["algorithm"].startswith("HS"):
        if public is not None:
            raise Refused("public_jwk")
    elif type(public) is not dict or {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & public.keys():
        raise Refused("public_jwk")


def _members(value: Any, **checks: Any) -> None:
    if type(value) is not dict or value.keys() != checks.keys():
        raise Refused("members")
    for name, check in checks.items():
        if not check(value[name]):
            raise Refused(name)


def _is_any(_value: Any) -> bool:
    return True


def _is_list(value: Any) -> bool:
    return type(value) is list


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_time(value: Any) -> bool:
    return type(value) in {int, float} and 0 <= value <= _END


def _is_open_or_time(value: Any) -> bool:
    return value is None or _is_time(value)
