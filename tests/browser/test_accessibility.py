"""Pages for everybody: names for screen readers, a keyboard alone, colours that can be read, small screens."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.people import ADDRESS, ask_for_link
from tests.browser.test_policy import pages

# For every text on the page: how much lighter or darker it is than what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """
const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgba = colour => {
  paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
  return [...paint.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * x + .7152 * y + .0722 * z;
};
const behind = one => {
  for (; one; one = one.parentElement) {
    const colour = rgba(getComputedStyle(one).backgroundColor);
    if (colour[3] == 255) return colour;
  }
  const canvas = document.body.appendChild(document.createElement("div"));
  canvas.style.backgroundColor = "Canvas";
  return rgba(getComputedStyle(canvas).backgroundColor);
};
const texts = [...document.body.querySelectorAll("*")].filter(
  one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()));
return texts.map(one => {
  const [a, b] = [light(rgba(getComputedStyle(one).color)), light(behind(one))];
  return [one.tagName, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)];
});
"""


@pages
def test_every_page_has_a_language_a_title_and_one_heading(browser, site, show):
    show(browser, site)
    assert browser.find("html").get_attribute("lang") == "en"
    assert len(browser.find_all("h1")) == 1
    assert browser.driver.title == browser.heading
    assert len(browser.find_all("main")) == 1


@pages
def test_whatever_can_be_used_has_a_name(browser, site, show):
    show(browser, site)
    for one in browser.find_all("a, button, input:not([type=hidden])"):
        assert one.accessible_name, one.get_attribute("outerHTML")


def test_what_was_wrong_is_told_with_the_field(browser, site):
    browser.open(site.url)
    browser.run("document.forms[0].noValidate = true")
    browser.fill_in("nobody")
    browser.press("Send me a link")
    field = browser.find("#email")
    assert field.accessible_name == "E-mail address"
    assert field.get_attribute("aria-describedby") == browser.find("[role=alert]").get_attribute("id")


def test_a_keyboard_is_enough(browser, site):
    browser.open(site.url)
    browser.tab_to("#email")
    browser.type(ADDRESS)
    with browser.leaving():
        browser.type(Keys.ENTER)
    browser.tab_to(".outbox a")
    with browser.leaving():
        browser.type(Keys.ENTER)
    browser.tab_to("button")
    outline = browser.focused().value_of_css_property("outline-style")
    assert outline == "solid"  # one sees where one is
    with browser.leaving():
        browser.type(Keys.ENTER)
    assert browser.heading == "You are signed in"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pages
def test_texts_can_be_read(browser, site, show, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        show(browser, site)
        contrasts = browser.run(CONTRASTS)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert len(contrasts) >= 3
    assert [found for found in contrasts if found[1] < 4.5] == []


@pages
def test_a_small_screen_shows_all_of_it(browser, site, show):
    small = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", small)
    try:
        show(browser, site)
        assert browser.run("return document.documentElement.scrollWidth") <= 320
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_button_of_a_link_says_what_it_does(browser, site):
    browser.open(ask_for_link(browser, site))
    (button,) = browser.find_all("button")
    assert (button.aria_role, button.accessible_name) == ("button", "Sign in")
