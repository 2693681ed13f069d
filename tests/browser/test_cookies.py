"""What the browser keeps, from whom, and for whom."""

import time

import pytest

from tests.browser.people import ADDRESS, ask_for_link, sign_in

ACCESS, REFRESH, BROWSER = "__Host-access", "__Host-refresh", "__Host-magic-link"

MINUTES, HOURS = 60, 3600


def test_the_session_is_in_cookies_that_no_script_and_no_other_host_reads(browser, site):
    sign_in(browser, site)
    cookies = browser.cookies
    assert set(cookies) == {ACCESS, REFRESH}
    for cookie in cookies.values():
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["path"] == "/"
        assert cookie["domain"] == "localhost"  # this host and none below it: a domain would begin with a dot
    assert browser.run("return document.cookie") == ""


def test_cookies_end_with_their_tokens(browser, site):
    sign_in(browser, site)
    left = {name: cookie["expiry"] - time.time() for name, cookie in browser.cookies.items()}
    assert 9 * MINUTES < left[ACCESS] <= 10 * MINUTES
    assert 11 * HOURS < left[REFRESH] <= 12 * HOURS


def test_a_bound_link_leaves_a_cookie_until_it_ends(browser, strict_site):
    ask_for_link(browser, strict_site)
    cookie = browser.cookies[BROWSER]
    assert cookie["httpOnly"]
    assert 9 * MINUTES < cookie["expiry"] - time.time() <= 10 * MINUTES


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "app.localhost"])
def test_secure_cookies_work_without_tls_on_this_machine(browser, site, host):
    link = ask_for_link(browser, site)
    browser.open(link.replace(site.url, site.at(host)))
    browser.press("Sign in")
    assert browser.heading == "You are signed in"
    assert set(browser.cookies) == {ACCESS, REFRESH}


def test_secure_cookies_need_tls_everywhere_else(other_browser, site):
    link = ask_for_link(other_browser, site)
    other_browser.open(link.replace(site.url, site.at("app.test")))
    other_browser.press("Sign in")
    assert (other_browser.heading, other_browser.cookies) == ("Sign in", {})


def test_hosts_of_one_machine_have_cookies_of_their_own(browser, site):
    sign_in(browser, site)
    browser.open(site.at("127.0.0.1"))
    assert browser.heading == "Sign in"
    browser.open(site.url)
    assert ADDRESS in browser.text
