"""What the pages allow: nothing runs on them, nothing comes from elsewhere, and nobody frames them."""

from urllib.parse import urlsplit

import pytest

from tests.browser.people import ADDRESS, ask_for_link, sign_in

# Tries to do with a page what somebody would who got markup onto it, and tells which directives were in the way.
TRY = """
const [elsewhere, wanted, done] = arguments;
const violated = new Set();
document.addEventListener("securitypolicyviolation", event => {
  violated.add(event.effectiveDirective);
  if (violated.size == wanted) done([...violated].sort());
});
const add = (name, members) => document.body.append(Object.assign(document.createElement(name), members));
add("script", {textContent: "window.ran = 1"});
add("script", {src: elsewhere + "ran.js"});
add("img", {src: elsewhere + "pixel.png"});
add("style", {textContent: "main { display: none }"});
add("link", {rel: "stylesheet", href: elsewhere + "style.css"});
add("iframe", {src: elsewhere});
add("object", {data: elsewhere});
add("base", {href: elsewhere});
fetch(elsewhere).catch(() => {});
add("button", {}); document.body.lastChild.setAttribute("onclick", "window.ran = 2"); document.body.lastChild.click();
const form = Object.assign(document.createElement("form"), {action: elsewhere, method: "post"});
document.body.append(form); form.submit();
"""

VIOLATED = [
    "base-uri",
    "connect-src",
    "form-action",
    "frame-src",
    "img-src",
    "object-src",
    "script-src-attr",
    "script-src-elem",
    "style-src-elem",
]


def sign_in_page(browser, site):
    browser.open(site.url)


def sent_page(browser, site):
    ask_for_link(browser, site)


def link_page(browser, site):
    browser.open(ask_for_link(browser, site))


def broken_link_page(browser, site):
    browser.open(f"{site.url}/magic?token=a.b.c")


PAGES = {
    "sign-in": sign_in_page,
    "sent": sent_page,
    "link": link_page,
    "broken-link": broken_link_page,
    "signed-in": sign_in,
}

pages = pytest.mark.parametrize("show", PAGES.values(), ids=PAGES)


@pages
def test_whatever_gets_onto_a_page_does_nothing(other_browser, site, show):
    show(other_browser, site)
    # Somebody is there: this very server, under a name that the page does not know.
    assert other_browser.collect(TRY, site.at("app.test") + "/", len(VIOLATED)) == VIOLATED
    assert other_browser.run("return window.ran") is None
    assert other_browser.find("main").is_displayed()
    assert other_browser.answered() - {None} == {"localhost"}


@pages
def test_no_page_has_a_script(browser, site, show):
    show(browser, site)
    handlers = "return [...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames())"
    assert browser.run("return document.scripts.length") == 0
    assert not [name for name in browser.run(handlers) if name.startswith("on") or name == "style"]


@pages
def test_nobody_frames_a_page(other_browser, site, other_site, show):
    show(other_browser, site)
    url = other_browser.driver.current_url
    other_browser.open(other_site(f'<iframe src="{url}"></iframe>'))
    other_browser.wait_for(lambda: any("frame" in message for message in other_browser.complaints()))
    assert framed(other_browser, "main") == []


def test_what_may_be_framed_is(other_browser, site, other_site):
    """So that the test above means something."""
    other_browser.open(other_site(f'<iframe src="{site.url}/static/style.css"></iframe>'))
    other_browser.wait_for(lambda: bool(framed(other_browser, "pre")))


def framed(browser, selector):
    browser.driver.switch_to.frame(browser.find("iframe"))
    try:
        return browser.find_all(selector)
    finally:
        browser.driver.switch_to.default_content()


def test_everything_works_where_scripts_are_off(browser, site):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        sign_in(browser, site)
        assert ADDRESS in browser.text
        browser.press("Sign out")
        assert browser.heading == "Sign in"
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_all_that_is_fetched_comes_from_the_site_itself(browser, site):
    sign_in(browser, site)
    browser.press("Sign out")
    browser.open(f"{site.url}/magic?token=a.b.c")
    browser.follow("Ask for a new link")
    asked = [request for request in browser.requests() if not request["url"].startswith("about:")]
    assert len(asked) > 8
    assert all(request["url"].startswith(site.url + "/") for request in asked)


def test_a_link_is_told_to_nobody(browser, site):
    link = ask_for_link(browser, site)
    browser.open(link)
    browser.press("Sign in")
    browser.open(link)
    browser.follow("Ask for a new link")
    referers = {headers.get("Referer") for headers in browser.sent_headers()}
    assert not any("magic" in referer for referer in referers if referer)


def test_the_address_of_the_page_after_the_button_has_no_token(browser, site):
    browser.open(ask_for_link(browser, site))
    browser.press("Sign in")
    browser.driver.back()
    assert "token=" in browser.driver.current_url  # the link itself, which is used up
    browser.driver.forward()
    assert urlsplit(browser.driver.current_url).query == ""
