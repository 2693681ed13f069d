"""How a ring is written down: JSON with a format number, read back strictly or not at all.

A document that cannot be read is an error that names the ring. It is never replaced: what stands there may be the only
copy of keys whose tokens are out, written by a newer release or by nobody who should have.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from mintkey.claims import strict_json
from mintkey.errors import KeyProviderError
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import check_kid
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import END_OF_TIME, Ring, RingVersion, Tombstone

__all__ = ["decode", "encode"]

_FORMAT = 1
_MAX_DEPTH = 8
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class _UnreadableError(ValueError):
    """What is wrong with a document; the message never shows content."""


def encode(ring: Ring, /) -> bytes:
    """The ring as the bytes that a store keeps."""
    return strict_json.dumps(
        {
            "format": _FORMAT,
            "versions": [_encode_version(version) for version in ring.versions],
            "tombstones": [{"kid": stone.kid, "revoked": stone.revoked} for stone in ring.tombstones],
        }
    )


def decode(document: bytes, /, *, ring: str) -> Ring:
    """The ring that was written down.

    Args:
        document: What the store holds.
        ring: The ring's name, for the error.

    Raises:
        KeyProviderError: It cannot be read; the message names the ring and shows nothing of it (`keys_unavailable`).
    """
    try:
        return _decode(strict_json.loads(document, max_depth=_MAX_DEPTH))
    except (strict_json.StrictJSONError, _UnreadableError) as error:
        problem = str(error)
    raise KeyProviderError(
        f"the stored document of ring {ring!r} cannot be read and is left as it is: {problem}", details={"ring": ring}
    )


def _encode_version(version: RingVersion) -> dict[str, Any]:
    material = version.material
    return {
        "kid": material.kid,
        "algorithm": material.algorithm,
        "public_jwk": None if material.public_jwk is None else dict(material.public_jwk),
        "handle": material.handle,
        "erase_when_retiring": material.erase_when_retiring,
        "created_at": version.created_at,
        "activates_at": version.activates_at,
        "retires_at": version.retires_at,
        "verify_until": version.verify_until,
        "revoked_at": version.revoked_at,
        "revoked_because": version.revoked_because,
    }


def _decode(members: Mapping[str, Any]) -> Ring:
    stated = members.get("format")
    if type(stated) is not int or stated != _FORMAT:  # to Python, true and 1.0 are 1 as well
        raise _UnreadableError(f"its format is not {_FORMAT}; was it written by a newer release?")
    fields = _Fields(members, "document", {"format", "versions", "tombstones"})
    ring = Ring(
        tuple(_decode_version(each, f"versions[{index}]") for index, each in enumerate(fields.list("versions"))),
        tuple(_decode_tombstone(each, f"tombstones[{index}]") for index, each in enumerate(fields.list("tombstones"))),
    )
    kids = Counter((*(version.kid for version in ring.versions), *(stone.kid for stone in ring.tombstones)))
    if any(count > 1 for count in kids.values()):
        raise _UnreadableError("a kid stands in it twice")
    return ring


def _decode_version(value: object, where: str) -> RingVersion:
    names = {"kid", "algorithm", "public_jwk", "handle", "erase_when_retiring", "created_at", "activates_at"}
    fields = _Fields(value, where, names | {"retires_at", "verify_until", "revoked_at", "revoked_because"})
    version = RingVersion(
        material=_decode_material(fields),
        created_at=fields.time("created_at"),
        activates_at=fields.optional_time("activates_at"),
        retires_at=fields.optional_time("retires_at"),
        verify_until=fields.optional_time("verify_until"),
        revoked_at=fields.optional_time("revoked_at"),
        revoked_because=fields.text("revoked_because"),
    )
    if (version.retires_at is None) != (version.verify_until is None):
        raise _UnreadableError(f"{where} retires without an end, or ends without retiring")
    return version


def _decode_material(fields: "_Fields") -> KeyMaterial:
    spec = SPECS.get(cast("Any", fields.text("algorithm")))
    if spec is None:
        raise _UnreadableError(f"{fields.where}.algorithm is none that is known here")
    return KeyMaterial(
        kid=fields.kid("kid"),
        algorithm=spec.name,
        public_jwk=fields.public_jwk("public_jwk", symmetric=spec.symmetric),
        handle=fields.text("handle"),
        erase_when_retiring=fields.flag("erase_when_retiring"),
    )


def _decode_tombstone(value: object, where: str) -> Tombstone:
    fields = _Fields(value, where, {"kid", "revoked"})
    return Tombstone(fields.kid("kid"), fields.flag("revoked"))


class _Fields:
    """The members of one object, each read as the type that it must have."""

    def __init__(self, value: object, where: str, names: set[str]) -> None:
        if not isinstance(value, Mapping) or set(cast("Mapping[str, Any]", value)) != names:
            raise _UnreadableError(f"{where} does not have the members that it must have")
        self.where = where
        self._members = cast("Mapping[str, Any]", value)

    def list(self, name: str) -> list[object]:
        value = self._members[name]
        if not isinstance(value, list):
            raise self._wrong(name)
        return cast("list[object]", value)

    def text(self, name: str) -> str:
        value = self._members[name]
        if not isinstance(value, str):
            raise self._wrong(name)
        return value

    def kid(self, name: str) -> str:
        kid = self.text(name)
        if not check_kid(kid):
            raise self._wrong(name)
        return kid

    def flag(self, name: str) -> bool:
        value = self._members[name]
        if not isinstance(value, bool):
            raise self._wrong(name)
        return value

    def time(self, name: str) -> float:
        value = self._members[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name)
        if not 0 <= value <= END_OF_TIME:
            raise self._wrong(name)
        return float(value)

    def optional_time(self, name: str) -> float | None:
        return None if self._members[name] is None else self.time(name)

    def public_jwk(self, name: str, *, symmetric: bool) -> Mapping[str, Any] | None:
        value = self._members[name]
        if symmetric:
            if value is not None:  # a secret has no public half to be taken for (RFC 8725 §2.1)
                raise self._wrong(name)
            return None
        if not isinstance(value, dict) or _PRIVATE_MEMBERS & cast("dict[str, Any]", value).keys():
            raise self._wrong(name)
        return cast("dict[str, Any]", value)

    def _wrong(self, name: str) -> _UnreadableError:
        return _UnreadableError(f"{self.where}.{name} is not what it must be")
