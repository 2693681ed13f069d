"""The comparison of the page runs against a real server, and comes out as it says; so does what it says of retries."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from mintkey import Purpose, ReplayStoreError, TokenReplayedError, TokenService
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import RedisReplayStore
from mintkey.testing import Fate, Fault, FaultyProxy
from tests.docs.page import Page
from tests.support.servers import RedisServer

PAGE = Page("explanation/one-winner")
LINK = Purpose("link", lifetime=timedelta(minutes=5), single_use=True)


@pytest.fixture
async def server(valkey: RedisServer) -> AsyncIterator[Redis]:
    server: Redis = Redis.from_url(valkey.url)
    yield server
    await server.aclose()


async def test_the_ways_to_claim_end_as_the_page_shows(server: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    await PAGE.names()["compare"](server)
    assert capsys.readouterr().out == PAGE.blocks("text")[0]


async def test_who_asks_again_from_outside_may_find_the_token_spent(valkey: RedisServer) -> None:
    """At most once: nobody got in, and nobody will."""
    keys = MemoryKeyProvider()
    async with keys, FaultyProxy("127.0.0.1", valkey.port) as proxy:
        store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}", timeout=timedelta(milliseconds=500))
        async with TokenService(issuer="i", keys=keys, replay=store) as tokens:
            token = await tokens.mint(LINK)
            proxy.cut()
            for _ in range(3):  # the request gets there, and no answer ever comes back
                proxy.script(Fault(Fate.SWALLOW))
            with pytest.raises(ReplayStoreError) as caught:
                await tokens.verify(token, LINK)
            assert (caught.value.reason, caught.value.status_code) == ("replay_outcome_unknown", 503)
        async with TokenService(issuer="i", keys=keys, replay=RedisReplayStore(valkey.url)) as again:
            with pytest.raises(TokenReplayedError):
                await again.verify(token, LINK)


def test_every_refusal_of_the_table_is_a_reason() -> None:
    answers = [row[2] for row in PAGE.rows("Positive proof") if row[0] != "what happened"]
    assert answers.count("granted") == 3
    for answer in answers:
        assert answer in {"granted", "not granted"} or answer.strip("`").partition("`")[0] in {
            "replayed",
            "replay_outcome_unknown",
            "replay_unprovable",
        }


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
