"""Every public name has an example, and every example runs.

Those behind `>>>` show what comes out. The others, in fences, are the bodies of coroutines: each runs with the names
that an application would have, on real servers, and whatever it names exists.
"""

import doctest
import importlib
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any

import anyio
import fastapi
import httpx2
import prometheus_client
import pydantic_settings
import pytest
from anyio import to_thread
from starlette import requests, responses

import mintkey
from mintkey import MintkeyError, Purpose, TokenService, presets
from mintkey.bus import EventBus
from mintkey.integrations.cookies import TokenCookie
from mintkey.integrations.prometheus import PrometheusHook
from mintkey.integrations.settings import MintkeySettings
from mintkey.keys import MemoryKeyProvider, Sealer
from mintkey.oauth import ClientCredentials, pkce
from mintkey.oauth.state import new_state
from mintkey.replay import MemoryReplayStore, RevocationCache
from tests.docs.examples import DOCUMENTED, documentation, examples
from tests.support.http_server import HttpServer, json_reply
from tests.support.servers import RedisServer

MINUTE = timedelta(minutes=1)
ISSUER = "https://myapp.example"
EXAMPLES = list(examples())
BROWSER = "a random secret of the browser"

LOGIN: Purpose[dict[str, Any]] = Purpose("magic-login", lifetime=10 * MINUTE, audience="myapp.web", single_use=True)
PAYMENT: Purpose[dict[str, Any]] = presets.PAYMENT_APPROVAL.replace(audience="myapp.payments")
ACCESS: Purpose[dict[str, Any]] = Purpose("access", lifetime=10 * MINUTE, audience="api", typ="at+jwt", revocable=True)
SESSION: Purpose[dict[str, Any]] = Purpose("session", lifetime=60 * MINUTE)

PUBLIC = {name: getattr(importlib.import_module(module), name) for module, name in DOCUMENTED}
"""As after importing everything."""


@dataclass
class Client:
    """Who asks an authorization server."""

    id: str = "billing"


async def nothing(*_: object) -> None:
    """What an application does there."""


async def sign_in(request: requests.Request, used: Any) -> responses.Response:
    """What it does when a link was used."""
    return responses.PlainTextResponse(used.subject)


@pytest.mark.parametrize(("module", "name"), DOCUMENTED, ids=str)
def test_every_public_name_has_an_example(module, name):
    _, section, example = documentation(module, name)[""].partition("Example:\n")
    assert section
    assert ">>>" in example or "```python\n" in example


@pytest.mark.parametrize(("module", "name"), DOCUMENTED, ids=str)
def test_examples_say_what_comes_out(module, name):
    """Those of constants, too, which nothing else finds."""
    value = getattr(importlib.import_module(module), name)
    place = value.__module__ if inspect.isclass(value) or inspect.isroutine(value) else module
    names = {**vars(importlib.import_module(place))}
    examples_of_it = doctest.DocTestParser().get_doctest(documentation(module, name)[""], names, name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(examples_of_it).failed == 0


@pytest.fixture
def elsewhere(server: HttpServer) -> HttpServer:
    """Another service: an issuer with its keys, its token endpoint, and something to get."""
    server.route("/oauth/token", json_reply({"access_token": "t", "token_type": "Bearer", "expires_in": 600}))
    server.route("/today", json_reply([]))
    metadata = {"issuer": server.url(""), "jwks_uri": server.url("/jwks"), "token_endpoint": server.url("/oauth/token")}
    server.route("/.well-known/openid-configuration", json_reply(metadata))
    return server


@pytest.fixture
async def world(elsewhere: HttpServer, valkey: RedisServer, tmp_path, monkeypatch) -> AsyncIterator[dict[str, Any]]:
    """What an application has."""
    for name, value in {"ISSUER": ISSUER, "STORE": "memory://", "AUDIENCE": "myapp.web"}.items():
        monkeypatch.setenv(f"MINTKEY_{name}", value)
    monkeypatch.chdir(tmp_path)
    keys, store, sealer = MemoryKeyProvider(), MemoryReplayStore(), Sealer([Sealer.generate_key()])
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(TokenService(issuer=ISSUER, keys=keys, replay=store))
        theirs = await stack.enter_async_context(TokenService(issuer=elsewhere.url(), keys=keys))
        jwks = (await keys.jwks()).as_dict()
        elsewhere.route("/.well-known/jwks.json", json_reply(jwks))
        provider = ClientCredentials(elsewhere.url("/oauth/token"), "billing", "secret")
        registry = prometheus_client.CollectorRegistry()
        handled = anyio.Event()

        async def handle(_: object) -> None:
            handled.set()

        yield {
            **PUBLIC,
            **{name: getattr(mintkey, name) for name in mintkey.__all__},
            **{name: getattr(fastapi, name) for name in ("Depends", "FastAPI", "Form", "Security", "WebSocket")},
            **{name: getattr(responses, name) for name in ("JSONResponse", "PlainTextResponse", "RedirectResponse")},
            "Request": requests.Request,
            "Response": responses.Response,
            "Annotated": Annotated,
            "Any": Any,
            "Sequence": list,
            "SettingsConfigDict": pydantic_settings.SettingsConfigDict,
            "anyio": anyio,
            "datetime": datetime,
            "httpx2": httpx2,
            "pkce": pkce,
            "pytest": pytest,
            "timedelta": timedelta,
            # the library
            "ACCESS": ACCESS,
            "LOGIN": LOGIN,
            "PAYMENT": PAYMENT,
            "REFRESH": presets.REFRESH,
            "SESSION": SESSION,
            "SESSION_COOKIE": TokenCookie("session"),
            "bus": await stack.enter_async_context(EventBus(valkey.url, sealer=sealer)),
            "cache": RevocationCache(MemoryReplayStore(), max_age=MINUTE),
            "issuer": ISSUER,
            "jwks": jwks,
            "keys": keys,
            "kid": jwks["keys"][0]["kid"],
            "metrics": PrometheusHook(registry=registry),
            "provider": await stack.enter_async_context(provider),
            "replay": store,
            "sealer": sealer,
            "settings": await to_thread.run_sync(MintkeySettings),
            "store": store,
            "token": await tokens.mint(LOGIN, subject="20", claims={"email": "alice@example.com"}),
            "tokens": tokens,
            # the application
            "Client": Client,
            "MyDatabase": dict,
            "MyHarness": object,
            "MyReplayStore": MemoryReplayStore,
            "Orders": list[str],
            "RECORDED": {"https://issuer.example/jwks": b"{}"},
            "Vault": object,
            "app": fastapi.FastAPI(),
            "authenticated": Client,
            "bus_troubles": prometheus_client.Counter("bus_troubles", "…", ["trouble", "group"], registry=registry),
            "cdn": SimpleNamespace(purge=nothing),
            "charge_the_card": nothing,
            "counters": Counter[tuple[str, str]](),
            "current_tenant": ContextVar[str]("current_tenant"),
            "database": SimpleNamespace(begin=nothing),
            "handle": handle,
            "handled": handled,
            "notify": nothing,
            "now": datetime.now(UTC),
            "orders_of": nothing,
            "page_the_operator": print,
            "pager": SimpleNamespace(notify=nothing),
            "request": SimpleNamespace(query_params={"next": "/inbox"}, cookies={}),
            "response": responses.Response(),
            "secret": "secret",
            "send_mail": nothing,
            "serve": nothing,
            "sign_in": sign_in,
            "signing_inputs": [b"header.payload"],
            "url": elsewhere.url("/oauth/token"),
            "their_token": await theirs.mint(presets.ACCESS, subject="20"),
        }


async def _with_a_state(world: dict[str, Any]) -> dict[str, Any]:
    state = await new_state(world["tokens"], browser=BROWSER, next="/inbox")
    return {"request": SimpleNamespace(query_params={"state": state}, cookies={"signing-in": BROWSER})}


async def _with_a_payment(world: dict[str, Any]) -> dict[str, Any]:
    return {"token": await world["tokens"].mint(PAYMENT, subject="20")}


async def _with_their_token(world: dict[str, Any]) -> dict[str, Any]:
    return {"token": world["their_token"], "ACCESS": presets.ACCESS}


SPECIAL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "mintkey.TokenVerifier.redeem": _with_a_payment,
    "mintkey.keys.JWKSKeyResolver": _with_their_token,
    "mintkey.oauth.state.use_state": _with_a_state,
}
"""What the same word means in another example."""

ENDLESS = {"mintkey.bus.EventBus"}
"""They go on until they are cancelled, which happens as soon as something was handled."""


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
async def test_an_example_in_a_fence_runs(example, world, elsewhere, valkey, tmp_path):
    names = {**world, **(await SPECIAL[example.name](world) if example.name in SPECIAL else {})}
    assert example.missing(names) == set()
    addresses = {
        "redis://localhost": valkey.url,
        "redis://cache.internal.example": valkey.url,
        '"127.0.0.1", 6379': f'"127.0.0.1", {valkey.port}',
        "https://issuer.example": elsewhere.url(),
        "https://login.example": elsewhere.url(),
        "https://orders.example": elsewhere.url(),
        "https://orders.internal.example": elsewhere.url(),
        "/run/secrets": str(tmp_path),
    }
    run = partial(example.run, names, with_other_addresses=addresses)
    with anyio.fail_after(30):
        if example.name not in ENDLESS:
            await run()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await names["handled"].wait()
            group.cancel_scope.cancel()


def test_there_is_nothing_in_the_tables_that_no_example_has():
    assert {*SPECIAL, *ENDLESS} <= {example.name for example in EXAMPLES}
    assert issubclass(PUBLIC["BackendError"], MintkeyError)
