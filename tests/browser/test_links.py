"""What happens to a link before somebody presses its button, and which links have no button."""

from datetime import UTC, datetime, timedelta
from html import escape

import httpx2
import pytest

from mintkey import TokenService, presets
from mintkey.keys import StaticKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.browser.people import ask_for_link

# What looks at links before people do: previews, gateways, prefetching browsers and proxies.
LOOKERS = {
    "slackbot": {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    "outlook": {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SafeLinks", "Accept": "*/*"},
    "prefetch": {"Sec-Purpose": "prefetch", "Purpose": "prefetch", "Sec-Fetch-Site": "cross-site"},
    "plain": {},
}

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("looker", LOOKERS)
def test_looking_twenty_times_spends_nothing(browser, site, looker):
    link = ask_for_link(browser, site)
    with httpx2.Client(headers=LOOKERS[looker], trust_env=False) as client:
        for _ in range(10):
            assert client.head(link).status_code == 200
            looked = client.get(link)
            assert looked.status_code == 200
            assert looked.headers["cache-control"] == "no-store"
            assert "noindex" in looked.headers["x-robots-tag"]
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_a_scanner_that_is_a_browser_spends_nothing(browser, other_browser, site):
    link = ask_for_link(browser, site)
    for _ in range(3):
        other_browser.open(link)
        assert other_browser.heading == "Sign in"
        other_browser.driver.refresh()
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_what_other_sites_fetch_by_themselves_spends_nothing(browser, other_browser, site, other_site):
    link = ask_for_link(browser, site)
    fetches = (f'fetch("{link}", {{mode: "no-cors", method: "{method}"}})' for method in ("GET", "HEAD"))
    prefetch = f'<link rel="prefetch" href="{escape(link)}"><img src="{escape(link)}">'
    other_browser.open(other_site(f"{prefetch}<script>{'; '.join(fetches)}</script>"))
    other_browser.wait_for(lambda: other_browser.answers().count((link, 200)) >= 3)
    asked = {request["method"] for request in other_browser.requests() if request["url"] == link}
    assert asked == {"GET", "HEAD"}
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_a_button_that_another_site_presses_signs_nobody_in(browser, other_browser, site, other_site):
    link = ask_for_link(browser, site)
    address, _, token = link.partition("?token=")
    other_browser.open(
        other_site(
            f'<form method="post" action="{address}"><input name="token" value="{token}">'
            "<button>Win a prize</button></form>"
        )
    )
    other_browser.press("Win a prize")
    assert (other_browser.status, other_browser.heading) == (403, "Open the link itself")
    other_browser.open(site.url)
    assert other_browser.heading == "Sign in"
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


@pytest.mark.parametrize("path", ["sign-in", "sign-out"])
def test_another_site_asks_for_no_link_and_signs_nobody_out(other_browser, strict_site, other_site, path):
    """Or it would bind its visitor's browser to a link of its own."""
    ask_for_link(other_browser, strict_site)
    before = other_browser.cookies
    form = f'<form method="post" action="{strict_site.url}/{path}"><input name="email" value="mallory@example.com">'
    other_browser.open(other_site(form + "<button>Win a prize</button></form>"))
    other_browser.press("Win a prize")
    assert other_browser.status == 403
    other_browser.open(strict_site.url)
    assert other_browser.cookies == before


async def test_an_expired_link_gets_a_page_that_helps(browser, site, signing_keys):
    clock = FakeClock(datetime.now(UTC) - 11 * MINUTE)
    async with TokenService(
        issuer=site.url,
        keys=StaticKeyProvider(signing_keys, clock=clock),
        replay=MemoryReplayStore(clock=clock),
        clock=clock,
    ) as tokens:
        old = await tokens.mint(presets.MAGIC_LINK.replace(audience="sign-in-example"), subject="alice@example.com")
    browser.open(f"{site.url}/magic?token={old}")
    assert (browser.status, browser.heading) == (410, "This link no longer works")
    browser.follow("Ask for a new link")
    assert (browser.path, browser.heading) == ("/", "Sign in")


@pytest.mark.parametrize("query", ["", "?token=", "?token=a.b.c", "?token=a&token=b"])
def test_half_a_link_gets_a_page_that_helps(browser, site, query):
    browser.open(f"{site.url}/magic{query}")
    assert (browser.status, browser.heading) == (400, "This link does not work")
    assert browser.find("main a").text == "Ask for a new link"


def test_a_changed_link_is_no_link(browser, site):
    link = ask_for_link(browser, site)
    browser.open(link[:-2] + ("AA" if not link.endswith("AA") else "BB"))
    assert (browser.status, browser.heading) == (400, "This link does not work")


def test_a_bound_link_works_where_it_was_asked_for(browser, other_browser, strict_site):
    link = ask_for_link(browser, strict_site)
    other_browser.open(link)
    assert (other_browser.status, other_browser.heading) == (403, "Open this link where you asked for it")
    assert "and nowhere else" in other_browser.text
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_a_bound_link_is_not_spent_by_whoever_posts_it(browser, strict_site):
    link = ask_for_link(browser, strict_site)
    address, _, token = link.partition("?token=")
    assert httpx2.post(address, data={"token": token}, trust_env=False).status_code == 403
    browser.open(link)
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_a_link_to_somebody_elses_account_is_refused_where_it_is_bound(browser, other_browser, strict_site):
    baits = ask_for_link(other_browser, strict_site, "mallory@example.com")
    ask_for_link(browser, strict_site)
    browser.open(baits)
    assert (browser.status, browser.heading) == (403, "Open this link where you asked for it")
