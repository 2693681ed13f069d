"""What a token endpoint answers, read strictly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.oauth.token_response import TokenResponseError, read_error, read_grant


def response(**members: object) -> bytes:
    given = {"access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer", "expires_in": 3600, **members}
    return json.dumps({name: value for name, value in given.items() if value != "absent"}).encode()


def test_the_example_of_the_standard():
    """RFC 6749 §5.1."""
    grant = read_grant(
        b'{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600}'.replace(
            b"example", b"bearer"
        )
    )
    assert (grant.token, grant.lifetime) == ("2YotnFZFEjr1zCsicMWpAA", 3600)


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_type_is_compared_without_case(kind):
    assert read_grant(response(token_type=kind)).token == "2YotnFZFEjr1zCsicMWpAA"


@pytest.mark.parametrize(
    ("written", "lifetime"), [(3600, 3600), ("3600", 3600), (1, 1), ("absent", 300), (None, 300)], ids=repr
)
def test_a_lifetime_is_a_number_or_text_and_five_minutes_if_nobody_says(written, lifetime):
    assert read_grant(response(expires_in=written)).lifetime == lifetime


@pytest.mark.parametrize(
    "written", [0, -1, 3.5, True, "", "1h", "-1", "1.5", " 60", "٣٦٠٠", [], {}, 10**19, "9" * 19], ids=repr
)
def test_a_lifetime_that_is_none_is_refused(written):
    with pytest.raises(TokenResponseError, match="expires_in"):
        read_grant(response(expires_in=written))


@pytest.mark.parametrize("token", ["absent", None, "", 7, "two words", "line\r\nbreak", "tab\t", "zoë"], ids=repr)
def test_what_does_not_fit_into_a_header_field_is_no_token(token):
    with pytest.raises(TokenResponseError, match="access_token"):
        read_grant(response(access_token=token))


@pytest.mark.parametrize("kind", ["absent", None, "", "DPoP", "mac", "N_A", 1], ids=repr)
def test_a_token_of_another_type_is_of_no_use(kind):
    with pytest.raises(TokenResponseError, match="token_type"):
        read_grant(response(token_type=kind))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"<html>", b'{"access_token":"a","access_token":"b","token_type":"Bearer"}', b"\xff", b"{"],
    ids=repr,
)
def test_what_is_no_json_object_or_has_two_readings_is_refused(body):
    with pytest.raises(TokenResponseError, match="the body is"):
        read_grant(body)


@given(st.binary(max_size=200))
def test_nothing_but_its_own_error_comes_out_and_it_quotes_nothing(body):
    with pytest.raises(TokenResponseError) as raised:
        read_grant(body)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "code",
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    ],
)
def test_registered_error_codes_are_told(code):
    assert read_error(json.dumps({"error": code, "error_description": "…"}).encode()) == code


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b'{"error": "no such client: 7"}', b'{"error": ["invalid_client"]}', b'{"error": null}'],
    ids=repr,
)
def test_whatever_else_stands_there_is_not(body):
    assert read_error(body) is None
