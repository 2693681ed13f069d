"""Processes that refresh on what they share: `python -m tests.support.refresh_workers TASK URL …`."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel

from mintkey import BackendError, MintkeyError, TokenService, presets
from mintkey.events import Event, ReuseDetected
from mintkey.keys import Sealer
from mintkey.refresh import RefreshFlow, TokenPair
from mintkey.testing import FakeClock
from tests.support.processes import perform

__all__ = ["ACCESS", "GRACE", "ISSUER", "flow_on", "service_on"]

ISSUER = "https://fleet.example"
SEALER = Sealer([bytes(range(32))])
ACCESS = presets.ACCESS.replace(audience="https://api.example")
GRACE = timedelta(minutes=2)  # longer than any machine needs for fifty refreshes


def service_on(url: str, *, ahead: timedelta = timedelta(0), told: list[Event] | None = None) -> TokenService:
    """A process's own service; with a clock that is ahead if it is to live later than the others."""
    clock = FakeClock(datetime.now(UTC) + ahead) if ahead else None
    return TokenService.from_url(
        url, issuer=ISSUER, sealer=SEALER, clock=clock, hooks=[] if told is None else [told.append]
    )


def flow_on(tokens: TokenService) -> RefreshFlow[dict[str, Any]]:
    return RefreshFlow(tokens, access=ACCESS, refresh=presets.REFRESH, grace=GRACE)


def says(pair: TokenPair) -> list[object]:
    """What must be the same whenever a pair is minted once more."""
    return [pair.family, pair.refresh.id, pair.refresh.exp, pair.access.id, pair.access.exp]


async def attempt(flow: RefreshFlow[dict[str, Any]], token: str) -> list[object] | str:
    """What a refresh gave, or why it gave nothing; asked for again, as clients do while the fleet is too busy."""
    with anyio.fail_after(60):
        while True:
            try:
                pair = await flow.refresh(token)
            except BackendError:
                await anyio.lowlevel.checkpoint()
            except MintkeyError as error:
                return error.reason
            else:
                return [*says(pair), pair.access, pair.refresh]


async def refresh(url: str, token: str, times: str, ahead: str = "0") -> object:
    """Refresh one token so many times at once: what came of each, and how often reuse was told."""
    told: list[Event] = []
    async with service_on(url, ahead=timedelta(seconds=float(ahead)), told=told) as tokens:
        flow = flow_on(tokens)
        outcomes = await asyncio.gather(*(attempt(flow, token) for _ in range(int(times))))
    return {"outcomes": outcomes, "alarms": sum(isinstance(event, ReuseDetected) for event in told)}


if __name__ == "__main__":
    perform({"refresh": refresh})
