"""Sessions of a fleet: one line of tokens, however many processes are asked for the next one at the same moment."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from mintkey import presets
from mintkey.refresh.families import Families
from mintkey.replay.base import FamilyStore
from tests.support.processes import results
from tests.support.refresh_workers import ACCESS, GRACE, ISSUER, flow_on, service_on

MODULE = "tests.support.refresh_workers"
TIMES = (13, 13, 12, 12)  # four processes, fifty refreshes
LATER = GRACE.total_seconds() + 60  # seconds: any window is over by then


@pytest.fixture(params=["valkey", "debian_redis", "postgres", "sqlite_file"])
def url(request: pytest.FixtureRequest) -> str:
    found = request.getfixturevalue(request.param)
    return f"sqlite:///{found}" if isinstance(found, Path) else str(found.url)


async def together(url: str, token: str, *, ahead: float = 0) -> tuple[list[Any], int]:
    """What processes got for one token at the same moment, and how often reuse was told."""
    commands = [("refresh", url, token, times, ahead) for times in TIMES]
    said = await anyio.to_thread.run_sync(lambda: results(MODULE, *commands, patience=120))
    outcomes = [outcome for answer in said for outcome in answer["outcomes"]]
    assert len(outcomes) == sum(TIMES)
    return outcomes, sum(answer["alarms"] for answer in said)


async def test_fifty_refreshes_of_one_token_over_four_processes(url: str) -> None:
    """One successor and nobody logged out; one alarm, and everybody logged out, when the token comes again later."""
    async with service_on(url) as tokens:
        first = await flow_on(tokens).issue("20", claims={"role": "editor"}, scopes=["read"])
        assert isinstance(tokens.workings.replay, FamilyStore)
        families = Families(tokens.workings.replay, issuer=ISSUER, purpose=presets.REFRESH)

        async def line() -> tuple[int, str]:
            held = await families.find(first.family, issued_at=datetime.now(UTC))
            assert held is not None
            return held.family.generation, held.family.current

        token = str(first.refresh)
        for generation in (1, 2):
            outcomes, alarms = await together(url, token)
            ((family, refresh_id, *_),) = {tuple(outcome[:5]) for outcome in outcomes}
            assert (family, alarms) == (first.family, 0)
            assert await line() == (generation, refresh_id)
            assert {(await tokens.verify(outcome[5], ACCESS)).claims["role"] for outcome in outcomes} == {"editor"}
            token = outcomes[-1][6]

        outcomes, alarms = await together(url, first.refresh, ahead=LATER)
        assert Counter(outcomes) == {"replayed": 1, "revoked": 49}
        assert alarms == 1
        outcomes, alarms = await together(url, token)
        assert Counter(outcomes) == {"revoked": 50}
        assert alarms == 0
