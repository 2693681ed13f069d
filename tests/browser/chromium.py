"""A browser that is used as people use it, and that remembers whom it talked to."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

__all__ = ["Browser", "browsing"]

_PATIENCE_SECONDS = 20.0

_OURS = ("localhost", "app.localhost", "127.0.0.1")

_SWITCHES = (
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nobody else can be reached, whatever a page asks for; app.test is a host like any other, on this machine.
    "--host-resolver-rules=MAP app.test 127.0.0.1, MAP * ~NOTFOUND, " + ", ".join(f"EXCLUDE {host}" for host in _OURS),
)


def _binary(name: str) -> str:
    """A program of the distribution: a laptop may do without, CI may not."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not on PATH (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def browsing() -> Iterator["Browser"]:
    """A browser of its own, without a window, for as long as the block lasts."""
    options = webdriver.ChromeOptions()
    options.binary_location = _binary("chromium")
    for switch in _SWITCHES:
        options.add_argument(switch)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_binary("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """One person's browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self._events: list[tuple[str, dict[str, Any]]] = []

    # What one does

    def open(self, url: str) -> None:
        self.driver.get(url)

    def press(self, name: str) -> None:
        """Press the button of this name."""
        button = self.find("button")
        assert button.accessible_name == name
        with self.leaving():
            button.click()

    def follow(self, text: str) -> None:
        """Follow the link of this text."""
        with self.leaving():
            self.driver.find_element(By.PARTIAL_LINK_TEXT, text).click()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """What is done in the block leads to another page; afterwards it is there."""
        old = self.run("return performance.timeOrigin")
        yield
        there = "return document.readyState == 'complete' && performance.timeOrigin != arguments[0]"
        self.wait_for(lambda: self.run(there, old))

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Until it happened."""
        # Between two pages nobody can tell, and the driver says so in various ways.
        wait = WebDriverWait(self.driver, _PATIENCE_SECONDS, ignored_exceptions=[WebDriverException])
        wait.until(lambda _driver: happened())

    def fill_in(self, text: str) -> None:
        """Type into the field that there is."""
        field = self.find("input:not([type=hidden])")
        field.clear()
        field.send_keys(text)

    def type(self, *keys: str) -> None:
        """Type, wherever the focus is."""
        for key in keys:
            self.focused().send_keys(key)

    def forget(self) -> None:
        """Be as new."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get("about:blank")
        self._look()
        self._events.clear()
        self.driver.get_log("browser")

    # What one sees

    @property
    def heading(self) -> str:
        return self.find("h1").text

    @property
    def text(self) -> str:
        return self.find("main").text

    @property
    def path(self) -> str:
        return urlsplit(self.driver.current_url).path

    @property
    def status(self) -> int:
        """Of the page."""
        return int(self.run("return performance.getEntriesByType('navigation')[0].responseStatus"))

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def tab_to(self, selector: str) -> None:
        """Get somewhere without a mouse."""
        for _ in range(10):
            self.focused().send_keys(Keys.TAB)
            if self.focused() == self.find(selector):
                return
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    @property
    def cookies(self) -> dict[str, dict[str, Any]]:
        return {cookie["name"]: cookie for cookie in self.driver.get_cookies()}

    # What one does not see

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script finds, as from the developer tools."""
        return self.driver.execute_script(script, *arguments)

    def collect(self, script: str, *arguments: Any) -> Any:
        """What a script hands to its last argument."""
        return self.driver.execute_async_script(script, *arguments)

    def requests(self) -> list[dict[str, Any]]:
        """All that were made: `url`, `method` and `headers` of each."""
        return [event["request"] for name, event in self._look() if name == "Network.requestWillBeSent"]

    def sent_headers(self) -> list[dict[str, str]]:
        """The headers of all requests, as they were sent."""
        return [event["headers"] for name, event in self._look() if name == "Network.requestWillBeSentExtraInfo"]

    def answers(self) -> list[tuple[str, int]]:
        """The URLs that answered, and how."""
        responses = [event["response"] for name, event in self._look() if name == "Network.responseReceived"]
        return [(response["url"], response["status"]) for response in responses if ":" in response["url"]]

    def answered(self) -> set[str | None]:
        """The hosts that answered."""
        return {urlsplit(url).hostname for url, _ in self.answers()}

    def complaints(self) -> list[str]:
        """What the browser has against the pages it showed, apart from their status."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if "Failed to load resource" not in message]

    def _look(self) -> list[tuple[str, dict[str, Any]]]:
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            self._events.append((message["method"], message["params"]))
        return self._events
