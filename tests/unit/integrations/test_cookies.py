"""A cookie that carries a token: what the browser is told, and what comes back."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from mintkey import ConfigurationError, MintedToken
from mintkey.integrations.cookies import TokenCookie
from mintkey.testing import FakeClock


@dataclass
class Sent:
    """A request with these cookie fields."""

    fields: tuple[bytes, ...]
    scope: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.scope = {"headers": [(b"host", b"app.example"), *((b"cookie", text) for text in self.fields)]}


def token(clock: FakeClock, text: str = "a.b.c") -> MintedToken:
    from mintkey.clock import from_timestamp

    return MintedToken(text, id="1", expires_at=from_timestamp(clock.time() + 600.5), key_id="k", purpose="session")


def set_by(cookie: TokenCookie, minted: MintedToken) -> str:
    response = Response()
    cookie.set(response, minted)
    return response.headers["set-cookie"]


def test_a_cookie_is_safe_unless_told_otherwise():
    clock = FakeClock()
    cookie = TokenCookie("session", clock=clock)
    assert cookie.name == "__Host-session"
    expected = "__Host-session=a.b.c; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax"
    assert set_by(cookie, token(clock)) == expected
    assert repr(cookie) == "TokenCookie('__Host-session')"


def test_a_cookie_ends_with_its_token():
    clock = FakeClock()
    cookie, minted = TokenCookie("session", clock=clock), token(clock)
    clock.advance(timedelta(minutes=9))
    assert "; Max-Age=60;" in set_by(cookie, minted)
    clock.advance(timedelta(minutes=9))
    assert "; Max-Age=0;" in set_by(cookie, minted)


def test_a_cookie_may_end_earlier():
    clock = FakeClock()
    response = Response()
    TokenCookie("session", clock=clock).set(response, token(clock), max_age=timedelta(seconds=30.5))
    assert "; Max-Age=30;" in response.headers["set-cookie"]


def test_a_cookie_for_a_path_has_the_other_prefix():
    clock = FakeClock()
    cookie = TokenCookie("refresh", path="/session/refresh", same_site="strict", clock=clock)
    expected = "__Secure-refresh=a.b.c; Max-Age=600; Path=/session/refresh; HttpOnly; Secure; SameSite=Strict"
    assert set_by(cookie, token(clock)) == expected


def test_without_tls_there_is_neither_secure_nor_a_prefix():
    clock = FakeClock()
    cookie = TokenCookie("session", secure=False, clock=clock)
    assert set_by(cookie, token(clock)) == "session=a.b.c; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"


def test_clearing_names_the_same_cookie():
    response = Response()
    TokenCookie("session").clear(response)
    assert response.headers["set-cookie"] == "__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"


def test_a_response_may_set_several():
    clock = FakeClock()
    response = Response()
    TokenCookie("session", clock=clock).set(response, token(clock))
    TokenCookie("refresh", path="/r", clock=clock).set(response, token(clock))
    assert len(response.headers.getlist("set-cookie")) == 2


def test_a_token_that_browsers_would_drop_is_not_set():
    clock = FakeClock()
    response = Response()
    with pytest.raises(ConfigurationError, match="does not fit into a cookie") as caught:
        TokenCookie("session", clock=clock).set(response, token(clock, "x" * 4096))
    assert "xxx" not in str(caught.value)
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((), None),
        ((b"theme=dark",), None),
        ((b"__Host-session=a.b.c",), "a.b.c"),
        ((b"theme=dark; __Host-session=a.b.c; x=y",), "a.b.c"),
        ((b"theme=dark", b"__Host-session=a.b.c"), "a.b.c"),
        ((b"__Host-session=",), None),
        ((b"other__Host-session=a.b.c",), None),
        ((b"theme=__Host-session=a.b.c",), None),
        ((b"__Host-session=a.b.c; __Host-session=a.b.c",), "a.b.c"),
        ((b"__Host-session=a.b.c; __Host-session=d.e.f",), None),
        ((b"__Host-session=a.b.c", b"__Host-session=d.e.f"), None),
        ((b"__Host-session=\xff\xfe",), "\xff\xfe"),
    ],
    ids=[
        "none",
        "another",
        "one",
        "among-others",
        "of-two-fields",
        "empty",
        "another-name",
        "inside-a-value",
        "twice-the-same",
        "two-values",
        "two-fields",
        "any-bytes",
    ],
)
def test_a_cookie_is_read_if_it_is_the_only_one(fields: tuple[bytes, ...], found: str | None):
    assert TokenCookie("session").read(Sent(fields)) == found


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        TokenCookie("a b", path="relative;", same_site="none", secure=False)
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 3


@pytest.mark.parametrize("name", ["__Host-session", "__secure-session"])
def test_the_prefix_is_not_the_callers(name: str):
    with pytest.raises(ConfigurationError, match="by itself"):
        TokenCookie(name)


def test_same_site_is_one_of_three():
    with pytest.raises(ConfigurationError, match="same_site"):
        TokenCookie("session", same_site="loose")
