"""A ring is written down and read back exactly, or not read at all."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mintkey.errors import KeyProviderError, Reason
from mintkey.keys.document import decode, encode
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion, Tombstone
from tests.support.rings import version

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

RING = Ring(
    (
        version("a", created_at=0.125, activates_at=1.5, retires_at=2.0, verify_until=3.0),
        replace(
            version("b", activates_at=2.0, retires_at=4.0, verify_until=5.0, revoked_at=4.0), revoked_because="lost é"
        ),
        version("c", created_at=1767225600.123457),
        RingVersion(material=KeyMaterial(kid="s", algorithm="HS256", public_jwk=None, handle="sealed"), created_at=0.0),
    ),
    (Tombstone("x", revoked=True), Tombstone("y", revoked=False)),
)


def members() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(RING))
    return found


def unreadable(document: bytes) -> KeyProviderError:
    with pytest.raises(KeyProviderError) as raised:
        decode(document, ring="the-ring")
    assert raised.value.reason is Reason.KEYS_UNAVAILABLE
    assert "the-ring" in str(raised.value)
    assert "private c" not in str(raised.value)
    return raised.value


def test_what_is_written_is_read_back() -> None:
    assert decode(encode(RING), ring="default") == RING
    assert decode(encode(Ring()), ring="default") == Ring()


def test_equal_rings_have_equal_bytes() -> None:
    """So that a process can see without parsing that nothing changed."""
    assert encode(decode(encode(RING), ring="default")) == encode(RING)


def test_a_newer_format_is_not_touched() -> None:
    for number in (2, True, 1.0, "1", None):  # true and 1.0 are equal to 1, and still something else
        assert "newer release" in str(unreadable(json.dumps(members() | {"format": number}).encode()))


@pytest.mark.parametrize("document", [b"", b"null", b"[]", b"{}", b"\xff", b'{"format":1}', encode(RING)[:-1]])
def test_what_is_no_document_is_refused(document: bytes) -> None:
    unreadable(document)


def test_a_document_with_foreign_members_is_refused() -> None:
    unreadable(json.dumps(members() | {"extra": 1}).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kid", "../../etc"),
        ("kid", 1),
        ("algorithm", "none"),
        ("algorithm", "Ed25519"),
        ("algorithm", ["EdDSA"]),
        ("public_jwk", None),
        ("public_jwk", "text"),
        ("public_jwk", {"kty": "OKP", "d": "private"}),
        ("public_jwk", {"kty": "oct", "k": "secret"}),
        ("handle", None),
        ("erase_when_retiring", 1),
        ("created_at", None),
        ("created_at", "0"),
        ("created_at", True),
        ("created_at", -1),
        ("created_at", 1e300),
        ("activates_at", False),
        ("verify_until", 7),
        ("retires_at", 7),
        ("revoked_at", "now"),
        ("revoked_because", None),
    ],
)
def test_a_version_with_a_wrong_member_is_refused(name: str, value: object) -> None:
    changed = members()
    changed["versions"][2][name] = value
    unreadable(json.dumps(changed).encode())


def test_a_secret_with_a_public_half_is_refused() -> None:
    """Nobody may take one for the other."""
    changed = members()
    changed["versions"][3]["public_jwk"] = {"kty": "oct"}
    unreadable(json.dumps(changed).encode())


@pytest.mark.parametrize("where", ["versions", "tombstones"])
@pytest.mark.parametrize("value", [None, {}, [None], [{}], [[]]])
def test_wrong_lists_are_refused(where: str, value: object) -> None:
    unreadable(json.dumps(members() | {where: value}).encode())


@pytest.mark.parametrize("where", ["versions", "tombstones"])
def test_a_kid_that_stands_twice_is_refused(where: str) -> None:
    changed = members()
    changed[where].append(changed[where][0])
    unreadable(json.dumps(changed).encode())


def test_a_buried_version_that_lives_is_refused() -> None:
    changed = members()
    changed["tombstones"].append({"kid": "c", "revoked": False})
    unreadable(json.dumps(changed).encode())


def test_a_member_that_stands_twice_is_refused() -> None:
    """The reader is the strict one: no document has two readings."""
    unreadable(encode(RING).replace(b'{"format":1,', b'{"format":1,"format":1,'))
