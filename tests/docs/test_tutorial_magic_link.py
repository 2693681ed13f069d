"""The first tutorial, followed: its files, its server, its tests, and what it says is seen."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution

import httpx2
import pytest

from mintkey import presets
from mintkey.integrations.cookies import TokenCookie
from tests.docs.page import Page
from tests.docs.tutorial import Folder, Terminal

PAGE = Page("tutorial/magic-link")
INSTALL, SERVE, TEST = PAGE.blocks("sh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("tutorial"), 8000)
    assert folder.write(PAGE) == dict(zip(("app.py", "test_app.py"), PAGE.blocks(), strict=True))
    return folder


@pytest.fixture(scope="module")
def server(folder: Folder) -> Iterator[Terminal]:
    with folder.terminal(SERVE) as server:
        server.until("Application startup complete")
        yield server


@pytest.fixture
def browser(folder: Folder, server: Terminal) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=folder.here("http://localhost:8000"), timeout=20) as browser:
        yield browser


def test_what_is_installed_is_there() -> None:
    """The extra exists, and everything else is what the tests themselves have."""
    (packages,) = re.findall(r"^pip install (.+)$", INSTALL, re.MULTILINE)
    ours, *others = packages.split()
    (extra,) = re.findall(r"mintkey\[(\w+)\]", ours)
    assert extra in (distribution("mintkey").metadata.get_all("Provides-Extra") or [])
    for other in others:
        assert distribution(other).version


def test_a_person_signs_in(folder: Folder, server: Terminal, browser: httpx2.Client) -> None:
    assert 'action="/links"' in browser.get("/").text
    assert browser.post("/links", data={"email": "alice@example.com"}).text == "Look into your mail."
    mail, _ = PAGE.blocks("text")
    (link,) = server.until(re.escape(folder.here(mail.strip())).replace("eyJ…", r"(eyJ\S+)"))
    for _ in range(20):
        looked = browser.get("/magic", params={"token": link})
        assert looked.status_code == 200
        assert "One more step" in looked.text
        assert ">Continue</button>" in looked.text
    used = browser.post("/magic", data={"token": link})
    assert (used.status_code, used.headers["location"]) == (303, "/me")
    # What a browser does on localhost; this one would want TLS.
    cookie = {"Cookie": used.headers["set-cookie"].partition(";")[0]}
    assert browser.get("/me", headers=cookie).text in PAGE.text
    again = browser.get("/magic", params={"token": link})
    assert again.status_code == 410
    assert "This link no longer works" in again.text
    assert '<a href="/">' in again.text
    for quoted in ("One more step", "Continue", "This link no longer works"):
        assert f'"{quoted}' in PAGE.text


def test_the_tests_of_the_page_pass(folder: Folder) -> None:
    _, outcome = PAGE.blocks("text")
    said = folder.run(TEST)
    assert outcome.strip() in said
    assert "warning" not in said


def test_what_is_said_of_the_cookie_the_link_and_the_challenge_is_so(browser: httpx2.Client) -> None:
    assert presets.MAGIC_LINK.lifetime.total_seconds() == 10 * 60
    assert f"`{TokenCookie('session').name}`" in PAGE.text
    stranger = browser.get("/me")
    assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")


def test_the_access_log_shows_links(server: Terminal, browser: httpx2.Client) -> None:
    browser.get("/magic", params={"token": "whatever"})
    server.until(r"GET /magic\?token=whatever")
