"""Which URLs we talk to, and which belong together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.http.urls import same_origin, url_problem


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example",
        "https://issuer.example/.well-known/jwks.json?p=B2C_1_flow",
        "HTTPS://Issuer.Example:8443/keys",
        "https://[2001:db8::1]:8443/keys",
        "https://auth_server/realms/main",
        "http://localhost:8080/jwks",
        "http://127.0.0.1:8080/jwks",
        "http://127.9.9.9/jwks",
        "http://[::1]:8080/jwks",
    ],
)
def test_https_anywhere_and_http_on_loopback(url):
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://issuer.example/jwks", "https"),
        ("http://localhost.issuer.example/jwks", "https"),
        ("http://localhost./jwks", "https"),
        ("http://10.0.0.1/jwks", "https"),
        ("http://0.0.0.0/jwks", "https"),
        ("http://[::ffff:127.0.0.1]/jwks", "https"),
        ("http://127.1/jwks", "https"),
        ("ftp://issuer.example/jwks", "https"),
        ("file:///etc/passwd", "absolute"),
        ("/jwks", "absolute"),
        ("https:///jwks", "absolute"),
        ("https:issuer.example", "absolute"),
        ("//issuer.example/jwks", "absolute"),
        ("https://issuer.example:0/jwks", "absolute"),
        ("https://issuer.example:65536/jwks", "absolute"),
        ("https://issuer.example:/jwks", "absolute"),
        ("https://issuer.example:x/jwks", "absolute"),
        ("https://[::1/jwks", "absolute"),
        ("https://a[::1]b:80/jwks", "absolute"),
        ("https://user:secret@issuer.example/jwks", "password"),
        ("https://@issuer.example/jwks", "password"),
        ("https://issuer.example/jwks#keys", "fragment"),
        ("https://issuer.example/jwks#", "fragment"),
        ("https://issuer.example/a b", "ASCII"),
        ("https://issuer.example\\@evil.example/", "ASCII"),
        ("https://issuer.example/\n", "ASCII"),
        (" https://issuer.example/", "ASCII"),
        ("https://bücher.example/", "ASCII"),
        ("", "ASCII"),
        (None, "ASCII"),
        (b"https://issuer.example/", "ASCII"),
    ],
)
def test_everything_else_is_refused_with_the_reason(url, problem):
    assert problem in (url_problem(url) or "")


@given(st.text())
def test_no_text_is_too_strange_and_none_is_quoted(text):
    problem = url_problem("https://" + text)
    assert problem is None or len(text) < 8 or text not in problem
    assert not same_origin("https://issuer.example", text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/x", "https://a.example/y?z"),
        ("https://a.example", "https://A.EXAMPLE:443/"),
        ("http://127.0.0.1:80/", "http://127.0.0.1/"),
    ],
)
def test_same_scheme_host_and_port_are_one_origin(one, other):
    assert same_origin(one, other)
    assert same_origin(other, one)


@pytest.mark.parametrize(
    "other",
    [
        "https://b.example/x",
        "http://a.example/x",
        "https://a.example:8443/x",
        "https://a.example.evil.example/x",
        "https://sub.a.example/x",
        "/x",
        "",
        "https://[",
    ],
)
def test_anything_else_is_another(other):
    assert not same_origin("https://a.example/x", other)
    assert not same_origin(other, "https://a.example/x")
