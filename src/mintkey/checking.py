"""How keys and store of a service are doing right now: both are asked, and nothing is raised for either.

All is asked at the same time: during an outage each question takes as long as a call may take, and a probe that is
answered too late counts as one that failed.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import anyio

from mintkey import ids
from mintkey.clock import Clock, from_timestamp
from mintkey.errors import MintkeyError
from mintkey.health import Check, Health, SelfChecking
from mintkey.keys.base import IKeyProvider, KeyState
from mintkey.replay.base import ReplayStore

__all__ = ["health_of"]

_MOMENT = 0.25  # seconds of real time


class _Part:
    """One backend: whether it can do its work, and what it has to say of itself.

    Args:
        backend: The backend.
        try_out: Has it do some of its work.
    """

    def __init__(self, backend: object, try_out: Callable[[], Awaitable[Check]]) -> None:
        self._backend = backend
        self._try_out = try_out
        self._tried = anyio.Event()
        self.checks: Mapping[str, Check] = {}

    async def ask(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._work)
            # What works is tried out in a moment, and then there is more to say: who was never used begins by that.
            with anyio.move_on_after(_MOMENT):
                await self._tried.wait()
            if isinstance(self._backend, SelfChecking):
                self.checks = await self._backend.checks()

    async def _work(self) -> None:
        self.check = await self._try_out()
        self._tried.set()


async def health_of(keys: IKeyProvider, replay: ReplayStore | None, clock: Clock, /) -> Health:
    """What `TokenService.health` tells of a service with these parts."""
    parts = {
        "keys": _Part(keys, partial(_keys, keys)),
        "replay": _Part(replay, partial(_replay, replay, clock)),
    }
    async with anyio.create_task_group() as group:
        for part in parts.values():
            group.start_soon(part.ask)
    checks = {name: part.check for name, part in parts.items()}
    for name, part in parts.items():
        checks |= {f"{name}.{about}": check for about, check in part.checks.items()}
    return Health(checks)


async def _keys(keys: IKeyProvider) -> Check:
    try:
        versions = await keys.versions()
    except MintkeyError as error:
        return Check(ok=False, word=error.reason, figure=0)
    active = any(version.state is KeyState.ACTIVE for version in versions)
    return Check(ok=active, word="active" if active else "none", figure=len(versions))


async def _replay(replay: ReplayStore | None, clock: Clock) -> Check:
    if replay is None:
        return Check(ok=True, word="none", figure=0)
    began = clock.monotonic()
    try:
        await replay.status(ids.new_id(), issued_at=from_timestamp(clock.time()))
    except MintkeyError as error:
        return Check(ok=False, word=error.reason, figure=0)
    return Check(ok=True, word="ready", figure=round((clock.monotonic() - began) * 1000, 3))
