"""What people do on the site."""

from tests.browser.chromium import Browser
from tests.browser.site import Site

__all__ = ["ADDRESS", "ask_for_link", "sign_in"]

ADDRESS = "alice@example.com"


def ask_for_link(browser: Browser, site: Site, address: str = ADDRESS) -> str:
    """Ask for a link, and find it in the outbox."""
    browser.open(site.url)
    browser.fill_in(address)
    browser.press("Send me a link")
    assert browser.heading == "Look into your mail"
    link = browser.find(".outbox a").get_attribute("href")
    assert link is not None
    assert link.startswith(f"{site.url}/magic?token=")
    return link


def sign_in(browser: Browser, site: Site, address: str = ADDRESS) -> None:
    """All of it."""
    browser.open(ask_for_link(browser, site, address))
    browser.press("Sign in")
    assert browser.heading == "You are signed in"
