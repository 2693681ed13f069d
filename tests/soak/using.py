"""Roles that use what others minted: spending what is good for once, and looking at what is good for many times."""

import anyio

from mintkey import BackendError, MintkeyError
from tests.soak.diary import Entry
from tests.soak.fleet import LEASE, LIFETIME, ONCE, PASS
from tests.soak.work import Jobs, Work

__all__ = ["spend", "verify"]

_PAUSE = 0.15


class _ChangedMind(Exception):  # noqa: N818 - not an error of anything
    """What is done with a token fails."""


async def spend(work: Work) -> None:
    """Every token of single use, until it is known what became of it; some once more, when they must be spent."""
    settled = set(_settled(work))

    async with anyio.create_task_group() as tasks:
        jobs = Jobs(tasks)

        async def settle(entry: Entry) -> None:
            while not await _attempt(work, entry):  # noqa: ASYNC110 - it decides itself when it is asked again
                await anyio.sleep(work.dice.uniform(0, 2 * _PAUSE))
            if work.dice.random() < 0.3:
                jobs.put(_attempt, work, entry, after=work.dice.uniform(0, 5))

        async for entry in work.tokens_of_others():
            if entry["purpose"] == ONCE.name and entry["token"] not in settled:
                jobs.put(settle, entry, after=work.dice.choice((0.0, 0.0, 0.0, work.dice.uniform(0, 5))))


def _settled(work: Work):
    """Tokens of which a former life of this process knew what became of them."""
    begun: dict[str, str] = {}
    for entry in work.calls_of_former_lives():
        if entry["what"] in {"verify", "redeem"}:
            begun[entry["call"]] = entry["token"]
        elif entry["what"] == "end" and entry["is_over"]:
            yield begun[entry["call"]]


async def _attempt(work: Work, entry: Entry) -> bool:
    """Whether it is known now what became of the token."""
    what = work.dice.choice(("verify", "redeem"))
    patience = work.dice.choice((*[60.0] * 19, work.dice.uniform(0, 0.02)))
    call = work.diary.begin(what, token=entry["token"])
    outcome, is_over = "cancelled", False
    try:
        with anyio.move_on_after(patience):
            await (_redeem(work, call, entry) if what == "redeem" else work.tokens.verify(entry["text"], ONCE))
            outcome, is_over = "granted", True
    except _ChangedMind:
        outcome = "given back"
    except MintkeyError as error:
        outcome, is_over = error.reason, not isinstance(error, BackendError)
    work.diary.end(call, outcome, is_over=is_over)
    return is_over


async def _redeem(work: Work, call: str, entry: Entry) -> None:
    async with work.tokens.redeem(entry["text"], ONCE, lease=LEASE):
        work.diary.write("in", call=call)
        await anyio.sleep(work.dice.uniform(0, 0.03))
        work.diary.write("out", call=call)
        if work.dice.random() < 0.2:
            raise _ChangedMind


async def verify(work: Work) -> None:
    """Tokens of many uses as they appear and now and then later, and a look at the others."""

    async def look(entry: Entry) -> None:
        is_over = False
        while not is_over:
            is_over = await _look(work, entry)
            if not is_over:
                await anyio.sleep(_PAUSE)

    async with anyio.create_task_group() as tasks:
        jobs = Jobs(tasks)
        async for entry in work.tokens_of_others():
            jobs.put(look, entry)
            if entry["purpose"] == PASS.name:
                jobs.put(look, entry, after=work.dice.uniform(0, 1.2 * LIFETIME.total_seconds()))


async def _look(work: Work, entry: Entry) -> bool:
    what, call_on, purpose = (
        ("verify", work.tokens.verify, PASS) if entry["purpose"] == PASS.name else ("peek", work.tokens.peek, ONCE)
    )
    call = work.diary.begin(what, token=entry["token"])
    try:
        await call_on(entry["text"], purpose)
    except MintkeyError as error:
        is_over = not isinstance(error, BackendError)
        work.diary.end(call, error.reason, is_over=is_over)
        return is_over
    work.diary.end(call, "granted", is_over=True)
    return True
