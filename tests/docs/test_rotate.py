"""What the guide to rotation shows runs, and does what the page says."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mintkey import ConfigurationError, KeyNotFoundError, Purpose, TokenService
from mintkey.jose.jwk import generate
from mintkey.keys import MemoryKeyProvider, RotationPolicy, Sealer
from mintkey.testing import FakeClock
from tests.docs.page import Page

PAGE = Page("rotate")
MARK = "=== "
SESSION = Purpose("session", lifetime=timedelta(hours=1), audience="myapp.web")


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def tokens(guide: Any, clock: FakeClock) -> AsyncIterator[TokenService]:
    keys = MemoryKeyProvider(policy=guide.BUSY, clock=clock)
    async with TokenService(issuer="https://myapp.example", keys=keys, clock=clock, hooks=[guide.audit]) as tokens:
        yield tokens


def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    printed = PAGE.shell(
        tmp_path,
        after_each=f'echo; echo "{MARK}"; mintkey keys list --json\n',
        MINTKEY_STORE=f"sqlite:///{tmp_path / 'app.db'}",
        MINTKEY_SEAL_KEYS=Sealer.generate_key(),
    )
    found = [json.loads(part.splitlines()[1])["keys"] for part in printed.split(MARK)[1:]]
    rotated, changed = [[(key["state"], key["algorithm"]) for key in keys] for keys in found]
    assert rotated == [("pending", "EdDSA"), ("active", "EdDSA"), ("retiring", "EdDSA")]
    assert changed == [("pending", "ES256"), ("active", "ES256"), *[("retiring", "EdDSA")] * 3]


def test_the_defaults_are_those_of_the_table(guide: Any) -> None:
    assert [row[:2] for row in PAGE.rows("When")[1:]] == [
        ["`every`", "30 d"],
        ["`max_mints`", "no cap"],
        ["`previous_ttl`", "1 d"],
        ["`publish_ahead`", "15 min"],
    ]
    assert (
        RotationPolicy(
            every=timedelta(days=30),
            max_mints=None,
            previous_ttl=timedelta(days=1),
            publish_ahead=timedelta(minutes=15),
        )
        == guide.QUIET
    )
    assert guide.BY_HAND.every is None
    assert guide.keys().max_token_age == timedelta(days=1)


async def test_rotation_now_refuses_no_token(guide: Any, tokens: TokenService, clock: FakeClock, capsys: Any) -> None:
    before = await tokens.mint(SESSION, subject="20")
    kid = await guide.rotate_now(tokens.workings.keys)
    after = await tokens.mint(SESSION, subject="20")
    assert after.key_id == kid != before.key_id
    for token in (before, after):
        assert (await tokens.verify(token, SESSION)).subject == "20"
    assert capsys.readouterr().out == f"ring default: {kid} signs, {before.key_id} did\n"


async def test_the_checks_say_what_the_table_says(guide: Any, tokens: TokenService, clock: FakeClock) -> None:
    named = {row[1]: re.findall(r"`(\w+)`", row[2]) for row in PAGE.rows("Is all well?") if "checks[" in row[1]}
    assert named == {
        '`health().checks["keys.rotation"]`': ["on_time"],
        '`health().checks["keys.successor"]`': ["ready", "published", "publish_ahead"],
    }
    await tokens.mint(SESSION, subject="20")
    words = []
    for wait in (timedelta(0), guide.BUSY.publish_ahead):
        clock.advance(wait)
        checks = (await tokens.health()).checks
        words.append((checks["keys.rotation"].word, checks["keys.successor"].word))
    assert words == [("on_time", "published"), ("on_time", "ready")]


async def test_a_token_that_outlives_its_key_is_not_minted(tokens: TokenService) -> None:
    long = Purpose("long", lifetime=timedelta(days=1), audience="myapp.web")
    with pytest.raises(ConfigurationError, match="previous_ttl"):
        await tokens.mint(long)


async def test_secrets_rotate_too(clock: FakeClock) -> None:
    keys = MemoryKeyProvider(algorithm="HS256", clock=clock)
    async with TokenService(issuer="https://myapp.example", keys=keys, clock=clock) as tokens:
        before = await tokens.mint(SESSION, subject="20")
        await keys.rotate()
        assert (await tokens.verify(before, SESSION)).subject == "20"
        assert (await tokens.jwks()).as_dict() == {"keys": []}


async def test_three_deployments_rotate_keys_of_yours(guide: Any) -> None:
    old, new = [dict(key.private_jwk or {}) | {"kid": key.kid} for key in (generate("EdDSA"), generate("ES256"))]
    issued = []
    for step in (1, 2, 3):
        keys = guide.deployment(step, old, new)
        async with guide.service(keys) as tokens:
            issued.append(await tokens.mint(SESSION, subject="20"))
            if step < 3:
                for token in issued:
                    await tokens.verify(token, SESSION)
            assert (await tokens.jwks()).max_age == timedelta(minutes=5)
    assert [token.key_id for token in issued] == [old["kid"], new["kid"], new["kid"]]
    async with guide.service(guide.deployment(3, old, new)) as tokens:
        with pytest.raises(KeyNotFoundError):
            await tokens.verify(issued[0], SESSION)


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
