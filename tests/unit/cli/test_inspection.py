"""A look into a token trusts nothing and raises only what it says."""

from datetime import UTC, datetime

import pytest

from mintkey.cli.inspection import inspect
from mintkey.errors import MalformedTokenError, Reason
from mintkey.jose import base64url

pytestmark = pytest.mark.usefixtures("with_and_without_speed")


def token(header, payload, signature=b"s"):
    return ".".join(base64url.encode(part) for part in (header, payload, signature))


def test_names_types_and_times_are_shown_and_no_values():
    found = inspect(
        token(
            b'{"alg": "none", "kid": "../../etc/passwd"}',
            b'{"sub": "20", "admin": true, "n": 1.5, "i": 7, "l": [], "o": {}, "x": null, "iat": 0, "exp": 1.5}',
        ),
        typ=None,
    )

    assert found.header == {"alg": "none", "kid": "../../etc/passwd"}
    assert found.claims == {
        "sub": "text",
        "admin": "boolean",
        "n": "number",
        "i": "number",
        "l": "list",
        "o": "object",
        "x": "null",
        "iat": "number",
        "exp": "number",
    }
    assert found.times == {
        "issued_at": datetime(1970, 1, 1, tzinfo=UTC),
        "expires_at": datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC),
    }
    assert found.typ_fits is None


@pytest.mark.parametrize("value", [b'"1"', b"true", b"-1", b"1e30", b"[1]", b"null"])
def test_a_time_that_means_no_instant_is_left_out(value):
    assert inspect(token(b"{}", b'{"exp": %b}' % value), typ=None).times == {}


@pytest.mark.parametrize(
    ("typ", "fits"),
    [('"a+jwt"', True), ('"A+JWT"', True), ('"application/a+jwt"', True), ('"b+jwt"', False), ("5", False)],
)
def test_the_typ_is_compared_with_the_expected_one(typ, fits):
    assert inspect(token(b'{"typ": %b}' % typ.encode(), b"{}"), typ="a+jwt").typ_fits is fits


def test_a_header_without_typ_does_not_fit():
    assert inspect(token(b"{}", b"{}"), typ="a+jwt").typ_fits is False


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.b.c.d", "..", "e30.e30.=", "e30.e31.", "é.é.é", token(b"[]", b"{}"), token(b"{}", b"\xff")],
)
def test_what_is_no_token_is_malformed(text):
    with pytest.raises(MalformedTokenError) as caught:
        inspect(text, typ=None)
    assert caught.value.reason is Reason.MALFORMED


def test_what_is_too_long_is_not_decoded():
    with pytest.raises(MalformedTokenError) as caught:
        inspect("a" * 16_385, typ=None)
    assert caught.value.reason is Reason.TOO_LARGE
