"""The header: an allow-list, types, and what is dropped."""

import json

import pytest

from mintkey.errors import ConfigurationError, MalformedTokenError, Reason
from mintkey.jose.base64url import decode, encode
from mintkey.jose.header import NO_HEADERS, header_segment, read_header, same_typ
from mintkey.purpose import FORBIDDEN_HEADERS

pytestmark = pytest.mark.usefixtures("with_and_without_speed")


def segment(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return encode(text).encode()


def refuse(header: object, reason: Reason, allowed=()) -> None:
    with pytest.raises(MalformedTokenError) as caught:
        read_header(segment(header), allowed)
    assert caught.value.reason is reason
    assert caught.value.__context__ is None
    assert "hunter2" not in f"{caught.value!r} {caught.value.details}"


GOOD = {"alg": "EdDSA", "kid": "1", "typ": "login+jwt"}


def test_alg_kid_and_typ_are_read_and_kid_and_typ_may_be_missing() -> None:
    assert read_header(segment(GOOD), ()) == ("EdDSA", "1", "login+jwt", {})
    assert read_header(segment({"alg": "x"}), ()) == ("x", "", None, {})
    assert read_header(segment({"alg": "", "kid": "any @ shape", "typ": ""}), ()) == ("", "any @ shape", "", {})


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"alg",
        b'"alg"',
        b'["alg"]',
        b"null",
        b'{"alg":"EdDSA","alg":"none"}',
        b'{"alg":"EdDSA","kid":"1","kid":"hunter2"}',
        b'\xef\xbb\xbf{"alg":"EdDSA"}',
        b'{"alg":"EdDSA","typ":"\xff"}',
        b'{"alg":"\\ud800"}',
        '{"alg":"EdDSA"}'.encode("utf-16"),
        b'{"alg":"EdDSA","n":NaN}',
        b"{" * 10_000,
    ],
)
def test_what_is_no_strict_json_object(header) -> None:
    refuse(header, Reason.MALFORMED, allowed=["n"])


def test_what_is_no_base64url() -> None:
    for text in (b"e30=", b"e31", b"*", b"e", b"e30\n"):
        with pytest.raises(MalformedTokenError):
            read_header(text, ())


@pytest.mark.parametrize("wrong", [None, 1, True, ["x"], {"x": 1}])
@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
def test_alg_kid_and_typ_are_strings(member, wrong) -> None:
    refuse({**GOOD, member: wrong}, Reason.MALFORMED)


def test_alg_must_be_there() -> None:
    refuse({"kid": "1"}, Reason.MALFORMED)


@pytest.mark.parametrize("typ", ["a" * 129, "jwt\u212a", "ｊｗｔ"])
def test_typ_is_short_and_ascii(typ) -> None:
    refuse({**GOOD, "typ": typ}, Reason.MALFORMED)
    assert read_header(segment({**GOOD, "typ": "a" * 128}), ()).typ == "a" * 128


@pytest.mark.parametrize("member", sorted(FORBIDDEN_HEADERS - {"alg", "kid", "typ"}))
@pytest.mark.parametrize("value", ["hunter2", [], None, True])
def test_forbidden_members_are_refused_whoever_allows_them(member, value) -> None:
    refuse({**GOOD, member: value}, Reason.HEADER_UNSUPPORTED)
    refuse({**GOOD, member: value}, Reason.HEADER_UNSUPPORTED, allowed=FORBIDDEN_HEADERS)


def test_what_is_forbidden() -> None:
    assert set("alg kid typ crit b64 jwk jku x5u x5c zip enc cty".split()) == FORBIDDEN_HEADERS


@pytest.mark.parametrize("member", ["hunter2", "ALG", "Kid", "x5t", "iss", "", "a" * 5000])
def test_members_that_nobody_allowed_are_refused(member) -> None:
    refuse({**GOOD, member: 1}, Reason.HEADER_UNSUPPORTED)
    refuse({**GOOD, member: 1, "tenant": 1}, Reason.HEADER_UNSUPPORTED, allowed=["tenant"])


def test_an_unsupported_member_is_named_before_a_missing_alg() -> None:
    refuse({"crit": []}, Reason.HEADER_UNSUPPORTED)


def test_allowed_members_are_kept_and_certificate_thumbprints_are_dropped() -> None:
    header = {**GOOD, "tenant": {"a": [1]}, "x5t": "AAAA", "x5t#S256": "AAAA"}
    private = read_header(segment(header), ["tenant", "x5t", "x5t#S256", "other"]).private
    assert private == {"tenant": {"a": [1]}}
    with pytest.raises(TypeError):
        private["tenant"] = 1  # type: ignore[index]  # read-only


def test_dropped_members_are_not_the_same_as_none() -> None:
    assert read_header(segment(GOOD), ["x5t"]).private is NO_HEADERS
    dropped = read_header(segment({**GOOD, "x5t": "AAAA"}), ["x5t"]).private
    assert dropped == {}
    assert dropped is not NO_HEADERS


# --- writing


def test_what_is_written_is_read() -> None:
    written = header_segment(kid="1", algorithm="ES256", typ="login+jwt", headers={"tenant": "t1"})
    assert json.loads(decode(written)) == {"alg": "ES256", "kid": "1", "typ": "login+jwt", "tenant": "t1"}
    assert read_header(written, ["tenant"]) == ("ES256", "1", "login+jwt", {"tenant": "t1"})


def test_forbidden_members_and_what_is_no_json_are_not_written() -> None:
    with pytest.raises(ConfigurationError, match="headers must not set crit, jwk"):
        header_segment(kid="1", algorithm="ES256", typ="x", headers={"jwk": {}, "crit": [], "tenant": 1})
    with pytest.raises(ConfigurationError, match="headers: bytes is no JSON value"):
        header_segment(kid="1", algorithm="ES256", typ="x", headers={"tenant": b"x"})


# --- typ


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("login+jwt", "login+jwt", True),
        ("LOGIN+jwt", "login+JWT", True),
        ("application/login+jwt", "login+jwt", True),
        ("login+jwt", "Application/Login+JWT", True),
        ("application/login+jwt", "application/login+jwt", True),
        ("text/login+jwt", "login+jwt", False),
        ("application/a/b", "a/b", False),
        ("application/application/jwt", "application/jwt", False),
        ("jwt", "login+jwt", False),
        ("", "login+jwt", False),
        (None, "login+jwt", False),
        ("login+jwt ", "login+jwt", False),
    ],
)
def test_typ_is_compared_as_a_media_type(one, other, same) -> None:
    assert same_typ(one, other) is same
