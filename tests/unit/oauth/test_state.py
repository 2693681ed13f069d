"""Signed state: once, within ten minutes, in the browser that began, and back to a path on this site."""

import dataclasses
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey import Purpose, VerifiedToken
from mintkey.errors import (
    BackendError,
    ClaimError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    PurposeMismatchError,
    TokenReplayedError,
)
from mintkey.oauth import pkce
from mintkey.oauth.state import STATE, State, local_path, new_state, use_state
from mintkey.service import TokenService
from mintkey.testing.faults import FaultyReplayStore, StoreFault

BROWSER = pkce.new_verifier()
SITE = "https://myapp.example"

ELSEWHERE = [
    "",
    "inbox",
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/inbox\r\nSet-Cookie: a=b",
    "/a//b",
    "/./" + "/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/in box",
    "/é",
    '/"onclick="x',
    "/<script>",
    "?next=/",
    "#top",
    "/\ud800",
    "/\x00",
    "/\u2028",
    "/" + "a" * 2048,
]
HERE = ["/", "/inbox", "/inbox/", "/a/b.c/d;e=f", "/?q=https://other.example//x", "/a?b=c#d", "/a#//b", "/%2F%2Fevil"]


async def test_a_state_comes_back_once(mintkey_tokens):
    state = await new_state(mintkey_tokens, browser=BROWSER, next="/inbox?page=2")
    used = await use_state(mintkey_tokens, state, browser=BROWSER)
    assert isinstance(used, VerifiedToken)
    assert used.claims.next == "/inbox?page=2"
    assert used.id == state.id  # the nonce of OpenID Connect
    with pytest.raises(TokenReplayedError):
        await use_state(mintkey_tokens, state, browser=BROWSER)


async def test_without_a_place_to_go_to_it_leads_home(mintkey_tokens):
    state = await new_state(mintkey_tokens, browser=BROWSER)
    assert (await use_state(mintkey_tokens, state, browser=BROWSER)).claims.next == "/"


@pytest.mark.parametrize(
    "browser",
    [None, "", pkce.new_verifier(), BROWSER[:-1], BROWSER + "A", "\ud800" * 22],
    ids=["none", "empty", "another", "shorter", "longer", "no text"],
)
async def test_another_browser_gets_nowhere_and_spends_nothing(mintkey_tokens, browser):
    """An attacker's own answer, slipped to a victim, is of no use (RFC 6749 §10.12)."""
    state = await new_state(mintkey_tokens, browser=BROWSER)
    for _ in range(2):
        with pytest.raises(ClaimError) as caught:
            await use_state(mintkey_tokens, state, browser=browser)
        assert caught.value.claim == "browser"
        assert BROWSER not in str(caught.value)
    assert await use_state(mintkey_tokens, state, browser=BROWSER)


async def test_the_state_shows_neither_the_secret_nor_its_pkce_challenge(mintkey_tokens):
    state = await new_state(mintkey_tokens, browser=BROWSER, next="/private")
    claims = (await mintkey_tokens.peek(state, STATE)).claims
    assert claims.browser not in {BROWSER, pkce.challenge(BROWSER)}
    assert "private" not in repr(claims)
    assert claims.browser not in repr(claims)


async def test_two_states_of_one_browser_are_two_tokens(mintkey_tokens):
    """Two tabs sign in at the same time."""
    one, other = [await new_state(mintkey_tokens, browser=BROWSER, next=path) for path in ("/one", "/other")]
    assert (await use_state(mintkey_tokens, other, browser=BROWSER)).claims.next == "/other"
    assert (await use_state(mintkey_tokens, one, browser=BROWSER)).claims.next == "/one"


async def test_after_ten_minutes_it_is_over(mintkey_tokens, mintkey_clock):
    state = await new_state(mintkey_tokens, browser=BROWSER)
    mintkey_clock.advance(STATE.lifetime + STATE.leeway)
    with pytest.raises(ExpiredTokenError):
        await use_state(mintkey_tokens, state, browser=BROWSER)


async def test_no_other_token_is_a_state(mintkey_tokens):
    other = Purpose("other", lifetime=timedelta(minutes=1), claims=State)
    token = await mintkey_tokens.mint(other, claims=State(browser="x"))
    with pytest.raises(PurposeMismatchError):
        await use_state(mintkey_tokens, token, browser=BROWSER)


@pytest.mark.parametrize("state", ["", "a.b.c", "x" * 43, "é", "\ud800", "." * 100, None, b"a.b.c", 5], ids=repr)
async def test_what_is_no_token_is_no_state(mintkey_tokens, state):
    with pytest.raises(InvalidTokenError):
        await use_state(mintkey_tokens, state, browser=BROWSER)


async def test_a_purpose_of_your_own_takes_the_place(mintkey_tokens):
    mine = STATE.replace(name="my-state", lifetime=timedelta(minutes=2))
    state = await new_state(mintkey_tokens, browser=BROWSER, purpose=mine)
    with pytest.raises(PurposeMismatchError):
        await use_state(mintkey_tokens, state, browser=BROWSER)
    assert (await use_state(mintkey_tokens, state, browser=BROWSER, purpose=mine)).purpose == "my-state"


async def test_with_the_store_away_nobody_gets_in(mintkey_tokens, mintkey_clock):
    store = FaultyReplayStore(mintkey_tokens._replay)
    tokens = TokenService(issuer="i", keys=mintkey_tokens._keys, replay=store, clock=mintkey_clock)
    state = await new_state(tokens, browser=BROWSER)
    store.fail_always(StoreFault.BEFORE)
    with pytest.raises(BackendError):
        await use_state(tokens, state, browser=BROWSER)
    store.heal()
    assert await use_state(tokens, state, browser=BROWSER)


@pytest.mark.parametrize("path", ELSEWHERE, ids=repr)
async def test_no_state_leads_away_from_this_site(mintkey_tokens, path):
    assert local_path(path) == "/"
    assert local_path(path, default="/home") == "/home"
    with pytest.raises(ConfigurationError, match="local_path") as caught:
        await new_state(mintkey_tokens, browser=BROWSER, next=path)
    assert len(path) < 3 or path not in str(caught.value)
    # Not even one that was signed by us, for instance by an earlier version.
    if "\ud800" not in path:
        claims = (await mintkey_tokens.peek(await new_state(mintkey_tokens, browser=BROWSER), STATE)).claims
        signed = await mintkey_tokens.mint(STATE, claims=dataclasses.replace(claims, next=path))
        with pytest.raises(ClaimError) as refused:
            await use_state(mintkey_tokens, signed, browser=BROWSER)
        assert refused.value.claim == "next"


@pytest.mark.parametrize("path", HERE)
async def test_paths_on_this_site_are_kept(mintkey_tokens, path):
    assert local_path(path) == path
    state = await new_state(mintkey_tokens, browser=BROWSER, next=path)
    assert (await use_state(mintkey_tokens, state, browser=BROWSER)).claims.next == path


@pytest.mark.parametrize("text", [None, 5, b"/inbox", ["/inbox"]])
def test_what_is_no_text_is_no_path(text):
    assert local_path(text) == "/"


@given(st.text(alphabet="/\\\t\n\r .:@?#%abvil", max_size=12).map(lambda text: f"/{text}") | st.text())
def test_whatever_is_let_through_stays_on_this_site(text):
    """As a browser reads it: tabs and line ends dropped, backslashes taken for slashes."""
    path = local_path(text)
    seen = path.translate(dict.fromkeys(map(ord, "\t\r\n"))).replace("\\", "/").strip()
    assert urlsplit(urljoin(SITE, seen)).netloc == "myapp.example"
    assert path in {text, "/"}


async def test_all_that_is_wrong_is_told_at_once(mintkey_tokens):
    with pytest.raises(ConfigurationError) as caught:
        await new_state(mintkey_tokens, browser="20", next="//evil.example")
    assert len(caught.value.details["problems"]) == 2


def test_states_are_for_single_use_and_short():
    assert STATE.single_use
    assert STATE.lifetime == timedelta(minutes=10)
