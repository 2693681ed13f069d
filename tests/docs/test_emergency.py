"""What the page for emergencies says happens, on a server that is killed; its commands run."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mintkey import MintkeyError, Purpose, TokenService
from mintkey.keys import Sealer
from mintkey.replay import MemoryReplayStore
from tests.docs.page import Page
from tests.support.servers import RedisServer

PAGE = Page("emergency")
LOGIN = Purpose("login", lifetime=timedelta(minutes=10), audience="myapp.web", single_use=True)
MANY = Purpose("many", lifetime=timedelta(minutes=10), audience="myapp.web")
HEAD, *ROWS = PAGE.rows("The store is down")


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def tokens(own_valkey: RedisServer) -> AsyncIterator[TokenService]:
    sealer = Sealer([Sealer.generate_key()])
    async with TokenService.from_url(own_valkey.url, issuer="https://myapp.example", sealer=sealer) as tokens:
        yield tokens


async def outcome(tokens: TokenService, token: str, purpose: Purpose[Any]) -> str:
    try:
        await tokens.verify(token, purpose)
    except MintkeyError as error:
        return error.reason.value
    return "goes on"


async def found(tokens: TokenService, login: str, many: str) -> dict[str, str]:
    await tokens.mint(MANY)
    return {
        "`mint`": "goes on",
        "`verify`, many uses": await outcome(tokens, many, MANY),
        "`verify`, single use": await outcome(tokens, login, LOGIN),
    }


def is_told(column: str, what_happens: dict[str, str]) -> bool:
    """Whether each call does what the table says, or one of the things."""
    cells = {row[0]: re.findall(r"goes on|\w+", row[HEAD.index(column)]) for row in ROWS}
    assert cells.keys() == what_happens.keys()
    return all(what in cells[call] for call, what in what_happens.items())


async def test_a_store_that_is_away_and_then_lost_its_memory(tokens: TokenService, own_valkey: RedisServer) -> None:
    login, many = await tokens.mint(LOGIN), await tokens.mint(MANY)
    before = await tokens.jwks()
    own_valkey.kill()
    assert is_told("store away", await found(tokens, login, many))
    own_valkey.start()
    # The same port, as a server that is restarted has; otherwise it is another one.
    assert is_told("store lost its memory", await found(tokens, login, many))
    assert (await tokens.jwks()).as_dict() == before.as_dict()


async def test_a_revoked_version(tokens: TokenService) -> None:
    login, many = await tokens.mint(LOGIN), await tokens.mint(MANY)
    await tokens.workings.keys.revoke(login.key_id)
    assert (await tokens.mint(MANY)).key_id != login.key_id
    assert is_told("version revoked", await found(tokens, login, many))


async def test_a_token_that_is_out(guide: Any) -> None:
    async with TokenService.from_url("memory://", issuer="https://myapp.example") as tokens:
        one, other = [await tokens.mint(guide.SESSION, subject="20") for _ in range(2)]
        await guide.stop(tokens, one.id, one.expires_at)
        assert [await outcome(tokens, token, guide.SESSION) for token in (one, other)] == ["revoked", "goes on"]
        await guide.lock_out(tokens, "20")
        assert await outcome(tokens, other, guide.SESSION) == "revoked"


async def test_a_store_in_memory_for_a_while_makes_it_worse(tokens: TokenService) -> None:
    """The line of that table which people would not believe."""
    login = await tokens.mint(LOGIN)
    for _ in range(2):
        marks = MemoryReplayStore(fence=False)
        async with TokenService(issuer="https://myapp.example", keys=tokens.workings.keys, replay=marks) as process:
            assert await outcome(process, login, LOGIN) == "goes on"


def test_the_commands_do_what_the_page_says(valkey: RedisServer, tmp_path: Path) -> None:
    printed = PAGE.shell(
        tmp_path,
        after_each='[ -z "${kid:-}" ] || { echo "=== $kid"; mintkey keys list --json; }\n',
        MINTKEY_STORE=valkey.url,
        MINTKEY_ISSUER="https://myapp.example",
        MINTKEY_SEAL_KEYS=Sealer.generate_key(),
    )
    assert "all is well" in printed
    leaked, listed = printed.partition("=== ")[2].splitlines()
    states = {key["kid"]: key["state"] for key in json.loads(listed)["keys"]}
    assert states.pop(leaked) == "revoked"
    assert sorted(states.values()) == ["active", "pending"]


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 130
