"""The fixtures that the package brings for everybody's tests."""

import re
from datetime import timedelta

import pytest
from starlette.responses import Response

from mintkey import ExpiredTokenError, Purpose, SystemClock, TokenService
from mintkey.integrations.cookies import TokenCookie
from mintkey.testing import FakeClock

SESSION = Purpose("session", lifetime=timedelta(hours=1))


def test_the_clock_begins_at_the_present_and_stands_still(mintkey_clock: FakeClock) -> None:
    begun = mintkey_clock.time()
    assert 0 <= SystemClock().time() - begun < 60
    assert mintkey_clock.time() == begun == int(begun)


async def test_the_service_is_on_that_clock(mintkey_tokens: TokenService, mintkey_clock: FakeClock) -> None:
    token = await mintkey_tokens.mint(SESSION, subject="20")
    assert (await mintkey_tokens.verify(token, SESSION)).subject == "20"
    mintkey_clock.advance(SESSION.lifetime + SESSION.leeway)
    with pytest.raises(ExpiredTokenError):
        await mintkey_tokens.verify(token, SESSION)


async def test_a_browser_keeps_a_cookie_with_a_token_of_it(mintkey_tokens: TokenService) -> None:
    response = Response()
    TokenCookie("session").set(response, await mintkey_tokens.mint(SESSION, subject="20"))
    (seconds,) = re.findall(r"Max-Age=(\d+)", response.headers["set-cookie"])
    assert SESSION.lifetime - timedelta(minutes=1) < timedelta(seconds=int(seconds)) <= SESSION.lifetime
