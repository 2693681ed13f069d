"""RFC 6750, without a framework: where a token is found, and what a refusal looks like."""

import pytest

from mintkey.errors import (
    BackendError,
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    KeyNotFoundError,
    KeyProviderError,
    KeyRevokedError,
    MalformedTokenError,
    MissingExtraError,
    NotYetValidError,
    PurposeMismatchError,
    Reason,
    RemoteKeysError,
    ReplayStoreError,
    SignatureError,
    TokenEndpointError,
    TokenReplayedError,
    TokenRevokedError,
    UnsupportedOperationError,
)
from mintkey.integrations.bearer import answer_to, check_realm, find_token, missing_token, two_tokens

HOST = (b"host", b"app.example")


def authorization(value: bytes) -> tuple[bytes, bytes]:
    return b"authorization", value


@pytest.mark.parametrize(
    ("headers", "query", "cookies", "token"),
    [
        ([HOST], b"", (), None),
        ([HOST, authorization(b"Bearer a.b.c")], b"", (), "a.b.c"),
        ([authorization(b"bearer a.b.c")], b"", (), "a.b.c"),
        ([authorization(b"BEARER   a.b.c ")], b"", (), "a.b.c"),
        ([authorization(b"Bearer")], b"", (), None),
        ([authorization(b"Bearer ")], b"", (), None),
        ([authorization(b"Basic YTpi")], b"", (), None),
        ([authorization(b"")], b"", (), None),
        ([authorization(b"Bearera.b.c")], b"", (), None),
        ([authorization(b"Bearer \xff\x00 b")], b"", (), "\xff\x00 b"),
        ([], b"", ("a.b.c",), "a.b.c"),
        ([authorization(b"Basic YTpi")], b"", ("a.b.c",), "a.b.c"),
        ([], b"access_token=a.b.c", (), None),
        ([authorization(b"Bearer a.b.c")], b"page=2&my_access_token=1", (), "a.b.c"),
    ],
    ids=[
        "nothing",
        "field",
        "lower-case",
        "spaces",
        "scheme-alone",
        "scheme-and-space",
        "another-scheme",
        "empty-field",
        "no-space",
        "any-bytes",
        "cookie",
        "cookie-beside-another-scheme",
        "query-is-never-used",
        "harmless-query",
    ],
)
def test_a_token_is_found_where_it_may_be(headers, query, cookies, token):
    assert find_token(headers, query=query, cookies=cookies) == token


@pytest.mark.parametrize(
    ("headers", "query", "cookies"),
    [
        ([authorization(b"Bearer a.b.c"), authorization(b"Bearer a.b.c")], b"", ()),
        ([authorization(b"Bearer a.b.c"), authorization(b"Basic YTpi")], b"", ()),
        ([authorization(b"Bearer a.b.c")], b"", ("a.b.c",)),
        ([], b"", ("a.b.c", "d.e.f")),
        ([authorization(b"Bearer a.b.c")], b"page=2&access_token=a.b.c", ()),
        ([authorization(b"Bearer a.b.c")], b"access_token", ()),
        ([], b"access_token=a.b.c", ("a.b.c",)),
    ],
    ids=[
        "two-fields",
        "two-schemes",
        "field-and-cookie",
        "two-cookies",
        "field-and-query",
        "bare-query",
        "all-but-one",
    ],
)
def test_two_tokens_are_one_too_many(headers, query, cookies):
    with pytest.raises(ValueError, match=r"more than one|beside another"):
        find_token(headers, query=query, cookies=cookies)


def test_no_credentials_are_answered_with_a_bare_challenge():
    answer = missing_token()
    assert (answer.status, answer.word, dict(answer.headers)) == (
        401,
        "not_authenticated",
        {"WWW-Authenticate": "Bearer"},
    )


def test_two_methods_are_an_invalid_request():
    answer = two_tokens()
    assert answer.status == 400
    assert dict(answer.headers) == {"WWW-Authenticate": 'Bearer error="invalid_request"'}


BAD = [
    MalformedTokenError,
    SignatureError,
    KeyNotFoundError,
    KeyRevokedError,
    PurposeMismatchError,
    ClaimError,
    ExpiredTokenError,
    NotYetValidError,
    TokenReplayedError,
    TokenRevokedError,
]


@pytest.mark.parametrize(
    "error", [kind("secret", reason=reason) for kind in BAD for reason in kind.reasons], ids=lambda error: error.reason
)
def test_a_bad_token_is_answered_the_same_whatever_is_wrong_with_it(error: InvalidTokenError):
    answer = answer_to(error)
    assert (answer.status, answer.word) == (401, "invalid_token")
    assert dict(answer.headers) == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def test_a_missing_scope_is_named():
    answer = answer_to(InsufficientScopeError("no", details={"scopes": ("orders:read", "orders:write")}))
    assert (answer.status, answer.word) == (403, "insufficient_scope")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="orders:read orders:write"'


def test_a_scope_cannot_end_the_challenge():
    details = {"scopes": ('a"b', "c\r\nd", "e\\f", "é", 7, "good", "")}
    challenge = answer_to(InsufficientScopeError("no", details=details)).headers["WWW-Authenticate"]
    assert challenge == 'Bearer error="insufficient_scope", scope="good"'
    assert "scope=" not in answer_to(InsufficientScopeError("no")).headers["WWW-Authenticate"]


AWAY = [KeyProviderError, ReplayStoreError, RemoteKeysError, TokenEndpointError]


@pytest.mark.parametrize(
    "error", [kind("secret", reason=reason) for kind in AWAY for reason in kind.reasons], ids=lambda error: error.reason
)
def test_trouble_of_ours_says_when_to_try_again_and_challenges_nobody(error: BackendError):
    answer = answer_to(error)
    reserved = error.reason is Reason.TOKEN_RESERVED
    assert (answer.status, answer.word) == ((409, "token_reserved") if reserved else (503, "temporarily_unavailable"))
    assert dict(answer.headers) == {"Retry-After": "1"}


@pytest.mark.parametrize("kind", [ConfigurationError, MissingExtraError, UnsupportedOperationError, RuntimeError])
def test_a_mistake_of_ours_is_told_to_nobody(kind: type[Exception]):
    answer = answer_to(kind("secret"))
    assert (answer.status, answer.word, dict(answer.headers)) == (500, "server_error", {})


def test_a_realm_comes_first():
    assert missing_token(realm="the orders").headers["WWW-Authenticate"] == 'Bearer realm="the orders"'
    refused = answer_to(SignatureError("no"), realm="orders")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="orders", error="invalid_token"'
    assert two_tokens(realm="orders").headers["WWW-Authenticate"] == 'Bearer realm="orders", error="invalid_request"'


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\nb", "é", "a" * 129], ids=repr)
def test_a_realm_fits_between_quotes(realm: str):
    check_realm("orders of myapp.example")
    check_realm(None)
    with pytest.raises(ConfigurationError, match="realm"):
        check_realm(realm)
