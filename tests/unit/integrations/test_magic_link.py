"""Links that people click and scanners only look at."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.applications import Starlette

from mintkey import ConfigurationError, Purpose, Reason, ReplayStoreError, TokenService, VerifiedToken
from mintkey.ids import new_id
from mintkey.integrations.fastapi import (
    MagicLinkTexts,
    SameBrowser,
    TokenCookie,
    Words,
    lifespan,
    magic_link_router,
    service_of,
)
from mintkey.integrations.starlette import magic_link_route
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.support.web import BASE, client_of, service

LOGIN = Purpose("magic-login", lifetime=timedelta(minutes=10), audience="app", single_use=True)
OTHER = Purpose("password-reset", lifetime=timedelta(minutes=10), audience="app", single_use=True)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def one(self, tag: str) -> dict[str, str | None]:
        (found,) = (attributes for name, attributes in self.tags if name == tag)
        return found

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.tags}


@dataclass
class Site:
    """An application with a link, and who got in."""

    tokens: TokenService
    clock: FakeClock
    used: list[VerifiedToken[dict[str, Any]]] = field(default_factory=list)

    async def sign_in(self, request: Request, used: VerifiedToken[dict[str, Any]]) -> Response:
        assert service_of(request) is self.tokens
        form = await request.form()  # it can be read again
        assert form["token"]
        self.used.append(used)
        return RedirectResponse("/inbox", status_code=303)

    def app(self, **options: Any) -> FastAPI:
        app = FastAPI(lifespan=lifespan(self.tokens))
        app.include_router(magic_link_router(LOGIN, on_success=self.sign_in, **options))
        return app

    async def link(self) -> str:
        return str(await self.tokens.mint(LOGIN, subject="alice"))


@pytest.fixture
def site() -> Site:
    clock = FakeClock()
    return Site(service(clock), clock)


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(site.app()) as made:
        yield made


async def test_looking_spends_nothing_and_pressing_does(site: Site, client: httpx2.AsyncClient):
    link = await site.link()
    for _ in range(20):
        assert (await client.get("/magic", params={"token": link})).status_code == 200
        assert (await client.head("/magic", params={"token": link})).status_code == 200
    answer = await client.post("/magic", data={"token": link})
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert [used.subject for used in site.used] == ["alice"]
    assert (await client.post("/magic", data={"token": link})).status_code == 410
    assert (await client.get("/magic", params={"token": link})).status_code == 410
    assert len(site.used) == 1


async def test_of_many_who_press_at_once_one_gets_in(site: Site, client: httpx2.AsyncClient):
    link = await site.link()
    answers = await asyncio.gather(*(client.post("/magic", data={"token": link}) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 49


async def test_the_page_is_kept_nowhere_and_told_to_nobody(site: Site, client: httpx2.AsyncClient):
    for answer in (
        await client.get("/magic", params={"token": await site.link()}),
        await client.get("/magic", params={"token": "x"}),
    ):
        headers = answer.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]


async def test_the_policy_allows_the_one_style_that_the_page_has(site: Site, client: httpx2.AsyncClient):
    import base64
    import hashlib

    answer = await client.get("/magic", params={"token": await site.link()})
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


async def test_the_page_has_no_script_and_nothing_from_elsewhere(site: Site, client: httpx2.AsyncClient):
    link = await site.link()
    answer = await client.get("/magic", params={"token": link})
    page = Page(answer.text)
    assert page.names == {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "p",
        "form",
        "input",
        "button",
    }
    assert page.one("html") == {"lang": "en"}
    assert page.one("form") == {"method": "post", "action": "?"}
    assert page.one("input") == {"type": "hidden", "name": "token", "value": link}
    assert page.one("button") == {"type": "submit"}
    assert "http" not in answer.text.replace('http-equiv="', "")
    assert not any(name.startswith("on") or name in {"src", "href"} for _, at in page.tags for name in at)


async def test_the_answer_to_the_button_is_not_kept_either(site: Site, client: httpx2.AsyncClient):
    answer = await client.post("/magic", data={"token": await site.link()})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" not in answer.headers


async def test_what_an_application_says_itself_is_left_alone(site: Site):
    async def page(_request: Request, _used: VerifiedToken[dict[str, Any]]) -> Response:
        return HTMLResponse("<script>welcome()</script>", headers={"Cache-Control": "private"})

    app = FastAPI(lifespan=lifespan(site.tokens))
    app.include_router(magic_link_router(LOGIN, on_success=page, path="/in"), prefix="/auth")
    async with client_of(app) as client:
        answer = await client.post("/auth/in", data={"token": await site.link()})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private")
    assert "content-security-policy" not in answer.headers


async def test_a_link_that_is_over_gets_a_helpful_page(site: Site):
    async with client_of(site.app(new_link="/login?from=link&x=1")) as client:
        expired = await site.link()
        site.clock.advance(timedelta(minutes=11))
        spent, revoked = await site.link(), await site.link()
        await site.tokens.verify(spent, LOGIN)
        await site.tokens.revoke(revoked, LOGIN)
        retired = await site.link()
        await site.tokens.workings.keys.revoke((await site.tokens.workings.keys.versions())[1].kid)
        for link in (expired, spent, revoked, retired):
            for answer in (
                await client.get("/magic", params={"token": link}),
                await client.post("/magic", data={"token": link}),
            ):
                assert answer.status_code == 410
                assert "no longer works" in answer.text
                assert Page(answer.text).one("a") == {"href": "/login?from=link&x=1"}
                assert link not in answer.text
    assert not site.used


async def test_what_is_no_link_of_ours_gets_another(site: Site, client: httpx2.AsyncClient):
    link = await site.link()
    forged = link[:-4] + ("AAAA" if not link.endswith("AAAA") else "BBBB")
    other = str(await site.tokens.mint(OTHER, subject="alice"))
    for text in (forged, other, "x", ""):
        for answer in (
            await client.get("/magic", params={"token": text}),
            await client.post("/magic", data={"token": text}),
        ):
            assert answer.status_code == 400
            assert "does not work" in answer.text
            assert "a" not in Page(answer.text).names
    assert (await client.get("/magic")).status_code == 400
    assert (await client.get(f"/magic?token={link}&token={link}")).status_code == 400
    assert (await client.put("/magic")).status_code == 405


async def test_hostile_text_stays_text(site: Site):
    hostile = '"><script>alert(1)</script>'
    texts = MagicLinkTexts(language='"x', button=hostile, confirm=Words(hostile, hostile), over=Words(hostile, hostile))
    async with client_of(site.app(texts=texts, new_link=hostile)) as client:
        link = await site.link()
        page = await client.get("/magic", params={"token": link})
        await client.post("/magic", data={"token": link})
        over = await client.get("/magic", params={"token": link})
        for answer in (page, over, await client.get("/magic", params={"token": hostile})):
            assert "script" not in Page(answer.text).names
        assert html.escape(hostile) in page.text
        assert Page(page.text).one("html") == {"lang": '"x'}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", FORM),
        (b"token=", FORM),
        (b"other=1", FORM),
        (b"token=\xff", FORM),
        (b"token=LINK&token=LINK", FORM),
        (b"token=LINK", {"Content-Type": "application/json"}),
        (b'{"token": "LINK"}', {"Content-Type": "application/json"}),
        (b"token=LINK", {}),
        (b"token=LINK&x=" + b"x" * 32_768, FORM),
        (b"token=LINK" + b"&x=1" * 20, FORM),
    ],
    ids=["nothing", "empty", "another", "bytes", "twice", "media-type", "json", "no-type", "too-long", "too-many"],
)
async def test_only_a_small_form_spends(site: Site, client: httpx2.AsyncClient, body: bytes, headers: dict[str, str]):
    link = await site.link()
    answer = await client.post("/magic", content=body.replace(b"LINK", link.encode()), headers=headers)
    assert answer.status_code == 400
    assert not site.used
    assert (await client.post("/magic", data={"token": link})).status_code == 303


async def test_a_form_may_come_in_parts(site: Site, client: httpx2.AsyncClient):
    link = await site.link()

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"tok", b"en=", link.encode()):
            yield part

    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert (await client.post("/magic", content=parts(), headers=headers)).status_code == 303


async def test_another_site_cannot_press_the_button(site: Site, client: httpx2.AsyncClient):
    link = await site.link()
    for where in ("cross-site", "same-site"):
        answer = await client.post("/magic", data={"token": link}, headers={"Sec-Fetch-Site": where})
        assert answer.status_code == 403
    assert not site.used
    # Following the link from a mail program in the browser is cross-site, and fine.
    looked = await client.get("/magic", params={"token": link}, headers={"Sec-Fetch-Site": "cross-site"})
    assert looked.status_code == 200
    answer = await client.post("/magic", data={"token": link}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303


class Away(MemoryReplayStore):
    """A store that is away, or that says why not."""

    reason = Reason.REPLAY_UNAVAILABLE

    async def status(self, *_: Any, **__: Any) -> Any:
        raise ReplayStoreError("away", reason=self.reason)

    claim = status


@pytest.mark.parametrize(
    ("reason", "status", "says"),
    [
        (Reason.REPLAY_UNAVAILABLE, 503, "cannot check"),
        (Reason.TOKEN_RESERVED, 409, "in use"),
    ],
)
async def test_nobody_is_told_that_a_good_link_is_bad(reason: Reason, status: int, says: str):
    store = Away()
    store.reason = reason
    site = Site(TokenService(issuer=BASE, keys=MemoryKeyProvider(), replay=store), FakeClock())
    link = await site.link()
    async with client_of(site.app()) as client:
        for answer in (
            await client.get("/magic", params={"token": link}),
            await client.post("/magic", data={"token": link}),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (status, "1")
            assert says in answer.text
    assert not site.used


class TestSameBrowser:
    """A link works in the browser in which it was asked for, and nowhere else."""

    @pytest.fixture
    async def bound(self, site: Site) -> AsyncIterator[tuple[httpx2.AsyncClient, FastAPI]]:
        same = SameBrowser(LOGIN)
        app = site.app(same_browser=same)

        @app.post("/links")
        async def _ask(request: Request, response: Response) -> str:
            link = await site.tokens.mint(LOGIN, subject="alice")
            await same.bind(request, response, link, site.tokens)
            return link

        @app.post("/later-links")
        async def _ask_a_worker(request: Request, response: Response) -> str:
            link_id = new_id()
            await same.bind(request, response, link_id, site.tokens)
            return link_id

        async with client_of(app) as client:
            yield client, app

    async def test_there_it_works(self, site: Site, bound: tuple[httpx2.AsyncClient, FastAPI]):
        client, _ = bound
        asked = await client.post("/links")
        assert "__Host-magic-link=" in asked.headers["set-cookie"]
        assert "HttpOnly; Secure; SameSite=Lax" in asked.headers["set-cookie"]
        assert (await client.get("/magic", params={"token": asked.json()})).status_code == 200
        assert (await client.post("/magic", data={"token": asked.json()})).status_code == 303
        assert len(site.used) == 1

    async def test_a_worker_mints_it_later_under_the_id_that_was_bound(
        self, site: Site, bound: tuple[httpx2.AsyncClient, FastAPI]
    ):
        client, _ = bound
        link_id = (await client.post("/later-links")).json()
        link = await site.tokens.mint(LOGIN, subject="alice", token_id=link_id)
        assert (await client.post("/magic", data={"token": link})).status_code == 303

    async def test_a_page_of_another_site_binds_nobody_to_its_own_link(self, bound: tuple[httpx2.AsyncClient, FastAPI]):
        client, _ = bound
        for site_of_page in ("cross-site", "same-site"):
            refused = await client.post("/links", headers={"Sec-Fetch-Site": site_of_page})
            assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
        for site_of_page in ("same-origin", "none"):
            assert (await client.post("/links", headers={"Sec-Fetch-Site": site_of_page})).status_code == 200

    async def test_elsewhere_it_neither_works_nor_is_spent(self, site: Site, bound: tuple[httpx2.AsyncClient, FastAPI]):
        client, app = bound
        link = (await client.post("/links")).json()
        async with client_of(app) as other:
            await other.post("/links")  # it has a cookie, for another link
            for cookie in ("", f"__Host-magic-link={link}", "__Host-magic-link=x"):
                headers = {"Cookie": cookie} if cookie else {}
                looked = await other.get("/magic", params={"token": link}, headers=headers)
                pressed = await other.post("/magic", data={"token": link}, headers=headers)
                assert looked.status_code == pressed.status_code == 403
                assert "where you asked for it" in looked.text
                other.cookies.clear()
            assert (await other.post("/magic", data={"token": link})).status_code == 403
            assert (await other.post("/magic", data={"token": "x"})).status_code == 400
        assert not site.used
        assert (await client.post("/magic", data={"token": link})).status_code == 303

    def test_its_cookie_may_be_another(self):
        cookie = TokenCookie("elsewhere", path="/magic")
        long = Purpose("x" * 64, lifetime=timedelta(minutes=1), single_use=True)
        assert SameBrowser(long, cookie=cookie)._cookie is cookie


async def test_redirects_to_other_origins_are_allowed_by_name(site: Site):
    async with client_of(site.app(leads_to=["https://app.example:8443", "http://localhost:3000"])) as client:
        answer = await client.get("/magic", params={"token": await site.link()})
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self' https://app.example:8443 http://localhost:3000;" in policy


def test_mistakes_are_told_when_the_router_is_made(site: Site):
    many = Purpose("many", lifetime=timedelta(minutes=10))
    with pytest.raises(ConfigurationError, match="single use") as caught:
        magic_link_router(many, on_success=site.sign_in, leads_to=["https://app.example; script-src *", "app.example"])
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 3


async def test_starlette_has_the_same(site: Site):
    app = Starlette(
        routes=[magic_link_route(LOGIN, on_success=_welcome, path="/in", tokens=site.tokens, new_link="/login")]
    )
    async with client_of(app) as client:
        link = await site.link()
        assert (await client.get("/in", params={"token": link})).status_code == 200
        assert (await client.post("/in", data={"token": link})).text == "alice"
        assert (await client.post("/in", data={"token": link})).status_code == 410


async def _welcome(_request: Request, used: VerifiedToken[dict[str, Any]]) -> Response:
    return Response(used.subject)
