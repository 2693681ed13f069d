"""How keys and store of a service are doing right now: both are asked, and nothing is raised for either."""

from mintkey import ids
from mintkey.clock import Clock, from_timestamp
from mintkey.errors import MintkeyError
from mintkey.health import Check, Health, SelfChecking
from mintkey.keys.base import IKeyProvider, KeyState
from mintkey.replay.base import ReplayStore

__all__ = ["health_of"]


async def health_of(keys: IKeyProvider, replay: ReplayStore | None, clock: Clock, /) -> Health:
    """What `TokenService.health` tells of a service with these parts."""
    checks = {"keys": await _keys(keys), "replay": await _replay(replay, clock)}
    for part, backend in (("keys", keys), ("replay", replay)):
        if isinstance(backend, SelfChecking):
            checks |= {f"{part}.{name}": check for name, check in (await backend.checks()).items()}
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
