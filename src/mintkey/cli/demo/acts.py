"""The acts of the demonstration. Each does something, checks what came of it, and says so."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import anyio

from mintkey.cli.demo.stage import LOGIN, POLICY, SESSION, Stage, reason_of
from mintkey.errors import Reason
from mintkey.keys.base import KeyState
from mintkey.settings import durations

__all__ = ["ACTS", "Act", "Played"]

_CALLERS = 200
_SESSIONS = 60
_PAUSE = timedelta(minutes=10)
_LAST_MOMENT = timedelta(seconds=2)
_CAP = POLICY.max_mints or 0
_PERIOD = POLICY.every or timedelta(0)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of an act.

    Attributes:
        lines: What to say, each with whether something was granted (True) or refused.
        figures: The same for programs.
    """

    lines: tuple[tuple[bool, str], ...]
    figures: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Act:
    """A part of the demonstration.

    Attributes:
        name: For programs.
        title: For people.
        play: Does it.
    """

    name: str
    title: str
    play: Callable[[Stage], Awaitable[Played]]


async def _magic_link(stage: Stage) -> Played:
    here, elsewhere = stage.workers[0].tokens, stage.workers[1].tokens
    token = await stage.mint(LOGIN, subject="20", claims={"email": "alice@example.com"})
    seen = await elsewhere.peek(token, LOGIN)
    stage.promise("peek finds the claims", kept=seen.claims == {"email": "alice@example.com"}, found="others")
    used = await elsewhere.verify(token, LOGIN)
    stage.promise("verify finds the subject", kept=used.subject == "20", found="another one")
    replayed = await reason_of(here.verify(token, LOGIN))
    stage.promise("a second use is refused as replayed", kept=replayed is Reason.REPLAYED, found=replayed)
    return Played(
        (
            (True, f"minted    a token of {len(token)} characters, good for {durations.as_text(LOGIN.lifetime)}"),
            (True, "peeked    every check, nothing spent: link scanners do no harm"),
            (True, f"verified  by another worker: subject {used.subject}, {used.claims['email']}; spent by that"),
            (False, f"refused   the same link once more: {replayed}"),
        ),
        {"token_length": len(token), "second_use": replayed},
    )


async def _race(stage: Stage) -> Played:
    token = await stage.mint(LOGIN, subject="20")
    outcomes: Counter[Reason | None] = Counter()

    async def spend(caller: int) -> None:
        worker = stage.workers[caller % len(stage.workers)]
        outcomes[await reason_of(worker.tokens.verify(token, LOGIN))] += 1

    async with anyio.create_task_group() as callers:
        for caller in range(_CALLERS):
            callers.start_soon(spend, caller)
    winners, replayed = outcomes[None], outcomes[Reason.REPLAYED]
    found = f"{winners} granted, {replayed} replayed, {_CALLERS - winners - replayed} other"
    stage.promise(f"of {_CALLERS} callers exactly one wins", kept=winners == 1, found=found)
    stage.promise("all others are told replayed", kept=replayed == _CALLERS - 1, found=found)
    return Played(
        ((True, f"granted   {winners} caller"), (False, f"refused   {replayed} callers: {Reason.REPLAYED}")),
        {"callers": _CALLERS, "winners": winners, "replayed": replayed},
    )


async def _rotation_by_count(stage: Stage) -> Played:
    for turn in range(_SESSIONS):
        await stage.mint(SESSION, subject=str(turn))
        stage.clock.forward(_PAUSE)
    sessions, signed = stage.minted[-_SESSIONS:], Counter(token.key_id for token in stage.minted)
    spread = " + ".join(str(count) for count in signed.values())
    stage.promise(f"no key signs more than {_CAP} tokens", kept=max(signed.values()) <= _CAP, found=spread)
    verifier = stage.workers[0].tokens
    good = [await reason_of(verifier.verify(session, SESSION)) for session in sessions].count(None)
    stage.promise("tokens of previous keys are still good", kept=good == _SESSIONS, found=f"{good} of {_SESSIONS}")
    counted = {version.kid: version.mints for version in await stage.look()}
    is_counted = all(signed[kid] <= counted.get(kid, 0) <= _CAP for kid in signed)
    stage.promise("the ring counts every mint", kept=is_counted, found=list(counted.values()))
    grace = durations.as_text(POLICY.previous_ttl)
    return Played(
        (
            (True, f"minted    {len(stage.minted)} tokens so far, with {len(signed)} keys: {spread}"),
            (True, f"verified  all {good} of this act: a previous key verifies for {grace}"),
        ),
        {"cap": _CAP, "minted_with": dict(signed), "verified": good},
    )


async def _rotation_by_time(stage: Stage) -> Played:
    verifier = stage.workers[0].tokens
    signer = next(version for version in await stage.look() if version.state is KeyState.ACTIVE)
    due = (signer.activates_at or signer.created_at) + _PERIOD
    stage.clock.forward_to(due - timedelta(seconds=1))
    old = await stage.mint(SESSION, subject="20")
    stage.promise("a key signs for its whole period", kept=old.key_id == signer.kid, found="a rotation ahead of time")
    stage.clock.forward_to(due)
    new = await stage.mint(SESSION, subject="20")
    stage.promise("then its successor takes over", kept=new.key_id != old.key_id, found="the old key")
    previous = next(version for version in await stage.look() if version.kid == old.key_id)
    end = previous.verify_until or due
    stage.promise("the old key ends previous_ttl later", kept=end == due + POLICY.previous_ttl, found=end)
    stage.clock.forward_to(end - _LAST_MOMENT)
    before = await reason_of(verifier.verify(old, SESSION))
    stage.promise("its tokens are good to the end", kept=before is None, found=before)
    stage.clock.forward_to(end)
    after = await reason_of(verifier.verify(old, SESSION))
    stage.promise("and not a second longer", kept=after is Reason.KEY_RETIRED, found=after)
    return Played(
        (
            (True, f"rotated   after {durations.as_text(_PERIOD)}, to a key that had been published all that time"),
            (True, f"verified  a token of the old key, {durations.as_text(_LAST_MOMENT)} before that key's end"),
            (False, f"refused   the same token at that key's end: {after}"),
        ),
        {"period_seconds": _PERIOD.total_seconds(), "before_the_end": before, "at_the_end": after},
    )


ACTS = (
    Act("magic_link", "A magic link is used once", _magic_link),
    Act("race", f"{_CALLERS} callers race for one token", _race),
    Act("rotation_by_count", f"A new key after {_CAP} tokens, counted over all workers", _rotation_by_count),
    Act("rotation_by_time", "A new key every day, without one rejected token", _rotation_by_time),
)
"""In this order, on one stage."""
