"""Somebody signs in by a link, stays signed in, and signs out: in a real browser, against a real server."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.browser.people import ADDRESS, ask_for_link, sign_in

ACCESS, REFRESH = "__Host-access", "__Host-refresh"


def test_a_link_signs_in_once(browser, site):
    link = ask_for_link(browser, site)
    browser.open(link)
    assert (browser.status, browser.heading) == (200, "Sign in")
    browser.press("Sign in")
    assert (browser.path, browser.heading) == ("/", "You are signed in")
    assert ADDRESS in browser.text

    browser.open(link)
    assert (browser.status, browser.heading) == (410, "This link no longer works")
    assert "It was used already" in browser.text
    browser.follow("Ask for a new link")
    assert browser.path == "/"


def test_the_link_in_the_outbox_is_the_one_that_works(browser, site):
    ask_for_link(browser, site)
    browser.follow("Sign in as")
    browser.press("Sign in")
    assert browser.heading == "You are signed in"


def test_pressing_the_button_twice_signs_in_once_and_says_so(browser, site):
    browser.open(ask_for_link(browser, site))
    browser.press("Sign in")
    browser.driver.back()
    browser.driver.refresh()
    assert (browser.status, browser.heading) == (410, "This link no longer works")
    browser.open(site.url)
    assert browser.heading == "You are signed in"


def test_the_address_of_the_page_that_says_to_wait_leads_back(browser, site):
    ask_for_link(browser, site)
    browser.open(browser.driver.current_url)
    assert (browser.path, browser.heading) == ("/", "Sign in")


@pytest.mark.parametrize("typed", ["alice", "alice at example.com"])
def test_what_is_no_address_gets_no_link(browser, site, typed):
    browser.open(site.url)
    browser.run("document.forms[0].noValidate = true")  # what an older browser does
    browser.fill_in(typed)
    browser.press("Send me a link")
    assert browser.status == 422
    field = browser.find("#email")
    assert field.get_attribute("value") == typed
    assert field.get_attribute("aria-invalid") == "true"
    assert browser.find("[role=alert]").text.startswith("This is no e-mail address.")


def test_what_was_typed_is_text_and_no_markup(browser, site):
    browser.open(site.url)
    browser.run("document.forms[0].noValidate = true")
    browser.fill_in('"><script>window.ran = 1</script>@')
    browser.press("Send me a link")
    assert browser.find("#email").get_attribute("value") == '"><script>window.ran = 1</script>@'
    assert browser.run("return [window.ran, document.scripts.length]") == [None, 0]
    sign_in(browser, site, "r&amp@example.com")
    assert "r&amp@example.com" in browser.text


def test_when_the_access_token_is_over_the_next_pair_comes_by_itself(browser, site):
    sign_in(browser, site)
    before = browser.cookies
    browser.driver.delete_cookie(ACCESS)  # what the browser does when its Max-Age is over
    browser.driver.refresh()
    after = browser.cookies
    assert browser.heading == "You are signed in"
    assert after[ACCESS]["value"] != before[ACCESS]["value"]
    assert after[REFRESH]["value"] != before[REFRESH]["value"]


def test_tabs_that_refresh_together_stay_signed_in(browser, site):
    sign_in(browser, site)
    refresh = browser.cookies[REFRESH]["value"]

    def tab(_number):
        return httpx2.get(site.url, headers={"Cookie": f"{REFRESH}={refresh}"}, trust_env=False)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(tab, range(8)))
    assert all("You are signed in" in answer.text for answer in answers)
    newest = {field.split(";")[0] for answer in answers for field in answer.headers.get_list("set-cookie")}
    assert len([field for field in newest if field.startswith(REFRESH)]) == 1


def test_signing_out_ends_the_session_everywhere(browser, other_browser, site):
    sign_in(browser, site)
    stolen = browser.cookies[REFRESH]
    browser.press("Sign out")
    assert (browser.path, browser.heading) == ("/", "Sign in")
    assert browser.cookies == {}
    browser.driver.back()
    assert browser.heading == "Sign in"

    other_browser.open(site.url)
    other_browser.driver.add_cookie({name: stolen[name] for name in ("name", "value", "secure", "httpOnly")})
    other_browser.driver.refresh()
    assert other_browser.heading == "Sign in"
    assert other_browser.cookies == {}


def test_signing_out_without_a_session_is_nothing_special(site):
    for cookies in ({}, {REFRESH: "no token"}):
        answer = httpx2.post(f"{site.url}/sign-out", cookies=cookies, trust_env=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_programs_get_in_by_the_same_access_token(browser, site):
    sign_in(browser, site)
    url = f"{site.url}/api/me"
    browser.open(url)
    assert ADDRESS in browser.find("body").text
    access = browser.cookies[ACCESS]["value"]
    as_bearer = httpx2.get(url, headers={"Authorization": f"Bearer {access}"}, trust_env=False)
    assert as_bearer.json()["subject"] == ADDRESS
    nobody = httpx2.get(url, trust_env=False)
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_the_keys_are_published(browser, site, signing_keys):
    sign_in(browser, site)
    browser.follow("these")
    published = httpx2.get(browser.driver.current_url, trust_env=False).json()["keys"]
    assert [key["x"] for key in published] == [key["x"] for key in signing_keys["keys"]]
    assert not any("d" in key for key in published)


def test_two_processes_on_one_store_are_one_site(browser, strict_site):
    for _ in range(4):
        sign_in(browser, strict_site)
        browser.press("Sign out")
        assert browser.heading == "Sign in"
