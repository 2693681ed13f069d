"""The public keys of an application: cached for as long as the ring says, and asked for again cheaply."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from mintkey import KeyProviderError, TokenService
from mintkey.integrations.fastapi import jwks_router, lifespan
from mintkey.integrations.starlette import jwks_route
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from tests.support.web import client_of, service

PATH = "/.well-known/jwks.json"


def with_fastapi(tokens: TokenService) -> Any:
    app = FastAPI(lifespan=lifespan(tokens))
    app.include_router(jwks_router())
    return app


def with_starlette(tokens: TokenService) -> Any:
    return Starlette(lifespan=lifespan(tokens), routes=[jwks_route()])


both = pytest.mark.parametrize("application", [with_fastapi, with_starlette])


@both
async def test_the_keys_are_served_with_their_age_and_tag(application: Any):
    tokens = service()
    async with client_of(application(tokens)) as client:
        answer = await client.get(PATH)
        keys = await tokens.jwks()
        assert answer.json() == keys.as_dict()
        assert answer.headers["content-type"] == "application/jwk-set+json"
        assert answer.headers["etag"] == keys.etag
        assert answer.headers["cache-control"] == f"public, max-age={int(keys.max_age.total_seconds())}"
        assert keys.max_age > timedelta(minutes=1)


@both
async def test_who_has_the_keys_already_gets_304(application: Any):
    tokens = service()
    async with client_of(application(tokens)) as client:
        tag = (await client.get(PATH)).headers["etag"]
        for named in (tag, f'"x", W/{tag}', "*"):
            answer = await client.get(PATH, headers={"If-None-Match": named})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
            assert answer.headers["cache-control"].startswith("public, max-age=")
        await tokens.workings.keys.rotate()
        answer = await client.get(PATH, headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag
        assert (await client.head(PATH)).status_code == 200
        assert (await client.post(PATH)).status_code == 405


async def test_keys_that_nobody_may_cache_say_so():
    keys = MemoryKeyProvider(policy=RotationPolicy(publish_ahead=timedelta(0)))
    tokens = TokenService(issuer="https://app.example", keys=keys)
    async with client_of(with_fastapi(tokens)) as client:
        assert (await client.get(PATH)).headers["cache-control"] == "no-cache"


async def test_the_route_may_be_elsewhere_and_have_a_service_of_its_own():
    tokens = service()
    app = FastAPI()
    app.include_router(jwks_router(tokens=tokens, path="/keys"), prefix="/auth")
    async with client_of(app) as client:
        assert (await client.get("/auth/keys")).json() == (await tokens.jwks()).as_dict()
    assert "/auth/keys" not in app.openapi()["paths"]


class Away(MemoryKeyProvider):
    """Keys that cannot be read."""

    async def jwks(self) -> Any:
        raise KeyProviderError("away")


async def test_keys_that_cannot_be_read_are_503_without_any_handler():
    tokens = TokenService(issuer="https://app.example", keys=Away())
    async with client_of(with_fastapi(tokens)) as client:
        answer = await client.get(PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
