"""What the recipe for Flask shows runs under Flask, in many threads, over forks, and answers as its table says."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from mintkey import ReplayStoreError, TokenReplayedError, TokenService, presets
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.docs.refusals import ISSUER, Ask, bearer, refusals, row, with_a_key_of_nobody
from tests.support.servers import RedisServer

PAGE = Page("flask")


def recipe(monkeypatch: pytest.MonkeyPatch, store: str, **settings: str) -> SimpleNamespace:
    for name, value in {"STORE": store, "ISSUER": ISSUER, **settings}.items():
        monkeypatch.setenv(f"MINTKEY_{name}", value)
    names = PAGE.names()
    names["namespace"] = names
    return SimpleNamespace(**names)


@pytest.fixture
def shop(monkeypatch) -> Iterator[SimpleNamespace]:
    shop = recipe(monkeypatch, "memory://")
    yield shop
    shop.tokens.close()


def mint(shop, purpose, **request):
    return shop.tokens.run(lambda service: service.mint(purpose, **request))


def asking(shop: SimpleNamespace) -> Ask:
    async def ask(headers: Sequence[tuple[str, str]]):
        query = dict(headers).get("Query", "")
        sent = [(name, value) for name, value in headers if name != "Query"]
        answer = await anyio.to_thread.run_sync(lambda: shop.app.test_client().get(f"/orders?{query}", headers=sent))
        return answer.status_code, {name.lower(): value for name, value in answer.headers}

    return ask


def test_the_guard_lets_in_and_says_who(shop):
    token = mint(shop, shop.ACCESS, subject="20", scopes=["orders:read"])
    answer = shop.app.test_client().get("/orders", headers=[bearer(token)])
    assert (answer.status_code, answer.json) == (200, {"orders of": "20"})


def test_refusals_are_those_of_the_table(shop):
    async def told(service: TokenService) -> list[list[str]]:
        return await refusals(asking(shop), service, shop.ACCESS, both=[("Query", "access_token=a.b.c")])

    assert shop.tokens.run(told) == PAGE.rows("Refusals")[1:5]


def test_two_fields_come_as_one_bad_token(shop):
    token = mint(shop, shop.ACCESS, subject="20", scopes=["orders:read"])
    answer = shop.app.test_client().get("/orders", headers=[("Authorization", f"Bearer {token},Bearer {token}")])
    assert (answer.status_code, answer.json) == (401, {"detail": "invalid_token"})


def test_an_outage_is_told_as_one(monkeypatch, own_valkey: RedisServer):
    shop = recipe(monkeypatch, own_valkey.url, SEAL_KEYS=Sealer.generate_key())
    try:
        good = mint(shop, shop.ACCESS, subject="20", scopes=["orders:read"])
        link = mint(shop, shop.LOGIN, subject="20")
        own_valkey.kill()
        stray = [bearer(anyio.run(with_a_key_of_nobody, shop.ACCESS))]
        answer = shop.tokens.run(lambda _: asking(shop)(stray))
        assert [row("a key that nobody can look up, because the store is away", answer)] == PAGE.rows("Refusals")[5:]
        client = shop.app.test_client()
        assert client.get("/orders", headers=[bearer(good)]).status_code == 200
        answer = client.get("/magic", query_string={"token": link})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    finally:
        shop.tokens.close()


def test_a_link_signs_in_once_and_looking_spends_nothing(shop):
    mails: list[tuple[str, str]] = []
    shop.namespace["send_mail"] = lambda to, text: mails.append((to, text))
    client = shop.app.test_client()
    assert client.post("/links", data={"email": "alice@example.com"}).status_code == 202
    ((to, link),) = mails
    assert to == "alice@example.com"
    token = link.partition("token=")[2]
    for look in (client.get, client.head) * 3:
        answer = look("/magic", query_string={"token": token})
        assert answer.status_code == 200
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert client.post("/magic", data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    access = client.post("/magic", data={"token": token}).json["access_token"]
    assert client.get("/orders", headers=[bearer(access)]).json == {"orders of": "alice@example.com"}
    for again in (client.post("/magic", data={"token": token}), client.get("/magic", query_string={"token": token})):
        assert (again.status_code, again.text) == (410, "This link does not work any more. Ask for a new one.")


def test_of_fifty_threads_one_spends(shop):
    token = mint(shop, shop.LOGIN, subject="20")

    def use(_):
        return shop.app.test_client().post("/magic", data={"token": token}).status_code

    with ThreadPoolExecutor(50) as threads:
        assert sorted(threads.map(use, range(50))) == [200] + [410] * 49


def test_an_approval_is_spent_if_the_work_succeeds(shop):
    approval = presets.PAYMENT_APPROVAL
    token = mint(shop, approval, subject="account 7")

    def pay(charge: Callable[[str], None]) -> None:
        with shop.tokens.within(lambda service: service.redeem(token, approval)) as approved:
            charge(approved.subject)

    def declines(_: str) -> None:
        raise ReplayStoreError("the bank is away")

    charged: list[str] = []
    with pytest.raises(ReplayStoreError, match="bank"):
        pay(declines)
    pay(charged.append)
    with pytest.raises(TokenReplayedError):
        pay(charged.append)
    assert charged == ["account 7"]


def test_a_service_that_cannot_be_opened_is_the_callers_error(shop):
    def broken() -> TokenService:
        raise ReplayStoreError("not yet")

    tokens = shop.Tokens(broken)
    for _ in range(2):
        with pytest.raises(ReplayStoreError, match="not yet"):
            tokens.run(TokenService.jwks)
    tokens.close()


def test_keys_are_public(shop):
    client = shop.app.test_client()
    answer = client.get("/.well-known/jwks.json")
    keys = shop.tokens.run(TokenService.jwks)
    assert answer.json == keys.as_dict()
    assert (answer.headers["ETag"], answer.cache_control.max_age) == (keys.etag, int(keys.max_age.total_seconds()))
    again = client.get("/.well-known/jwks.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


FORKING = """
token = tokens.run(lambda service: service.mint(ACCESS, subject="20", scopes=["orders:read"]))  # before the fork
child = os.fork()
fresh = tokens.run(lambda service: service.mint(ACCESS, subject="20", scopes=["orders:read"]))
for one in (token, fresh):
    answer = app.test_client().get("/orders", headers={"Authorization": f"Bearer {one}"})
    assert answer.json == {"orders of": "20"}, answer.data
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_it_works_on_both_sides_of_a_fork_and_ends_in_order(tmp_path: Path, valkey: RedisServer):
    (tmp_path / "shop.py").write_text("".join(PAGE.blocks()) + FORKING, encoding="utf-8")
    store = {"MINTKEY_STORE": valkey.url, "MINTKEY_ISSUER": ISSUER, "MINTKEY_SEAL_KEYS": Sealer.generate_key()}
    command = [sys.executable, "-W", "error", "-W", "ignore:.*multi-threaded.*fork", "shop.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **store}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
