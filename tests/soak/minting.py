"""Roles that make things happen: minting, revoking, turning the keys, refreshing."""

from typing import Any

import anyio

from mintkey import BackendError, InvalidTokenError, MintkeyError, MintRequest
from mintkey.keys import KeyState
from mintkey.refresh import RefreshFlow, TokenPair
from tests.soak.diary import Entry
from tests.soak.fleet import ACCESS, LIFETIME, ONCE, PASS, flow_on
from tests.soak.work import LAST_CALL, Jobs, Work

__all__ = ["mint", "refresh", "revoke", "turn_keys"]

Flow = RefreshFlow[dict[str, Any]]

_PATIENCE = 20
"""Times that a session is asked for again what nobody answered."""


async def mint(work: Work) -> None:
    """Tokens of both kinds, one by one and now and then some at once."""
    while not work.is_told(LAST_CALL):
        purpose = work.dice.choice((ONCE, ONCE, PASS))
        count = work.dice.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 20))
        call = work.diary.begin("mint", count=count)
        try:
            tokens = await work.tokens.mint_many(purpose, [MintRequest(subject="20")] * count)
        except BackendError as error:
            work.diary.end(call, error.reason)
        else:
            for token in tokens:
                exp = token.expires_at.timestamp()
                said = {"token": token.id, "purpose": purpose.name, "kid": token.key_id, "text": str(token)}
                work.diary.write("minted", iat=exp - LIFETIME.total_seconds(), exp=exp, **said)
            work.diary.end(call, "good")
        await work.pause(0.13)


async def revoke(work: Work) -> None:
    """Some tokens, used or not."""

    async def one(entry: Entry) -> None:
        purpose = PASS if entry["purpose"] == PASS.name else ONCE
        call = work.diary.begin("revoke", token=entry["token"])
        try:
            await work.tokens.revoke(entry["text"], purpose)
        except MintkeyError as error:
            work.diary.end(call, error.reason)
        else:
            work.diary.end(call, "good")

    async with anyio.create_task_group() as tasks:
        jobs = Jobs(tasks)
        async for entry in work.tokens_of_others():
            if work.dice.random() < 0.12:
                jobs.put(one, entry, after=work.dice.choice((0.0, 0.0, work.dice.uniform(0, 4))))


async def turn_keys(work: Work) -> None:
    """Rotations by hand, revocations of keys, and cleaning up; the policy turns them every second anyhow."""
    keys = work.tokens.workings.keys
    while not work.is_told(LAST_CALL):
        what = work.dice.choice(("rotate", "rotate", "revoke key", "revoke key", "prune"))
        call = ""
        try:
            kids = [version.kid for version in await keys.versions() if version.state in _USED]
            kid = work.dice.choice(kids)
            call = work.diary.begin(what, kid=kid)
            match what:
                case "rotate":
                    await keys.rotate()
                case "revoke key":
                    await keys.revoke(kid, reason="soaked")
                case _:
                    await keys.prune()
        except (BackendError, InvalidTokenError) as error:
            if call:
                work.diary.end(call, error.reason)
        else:
            work.diary.end(call, "good")
        await work.pause(2)


_USED = {KeyState.ACTIVE, KeyState.RETIRING}


async def refresh(work: Work) -> None:
    """Sessions, one after the other; of every two tabs that refresh at the same time both get the same token."""
    flow = flow_on(work.tokens)
    while not work.is_told(LAST_CALL):
        call = work.diary.begin("sign in")
        try:
            pair = await flow.issue("20")
        except BackendError as error:
            work.diary.end(call, error.reason)
            await work.pause(0.2)
            continue
        work.diary.end(call, "good", family=pair.family, got=pair.refresh.id)
        await _go_on(work, flow, pair)


async def _go_on(work: Work, flow: Flow, pair: TokenPair) -> None:
    """One session, until it is over."""
    following: TokenPair | None = pair
    while following is not None and not work.is_told(LAST_CALL):
        await _use(work, following)
        await work.pause(0.2)
        if work.dice.random() < 0.05:
            await _sign_out(work, flow, following)
        following = await _next(work, flow, following)


async def _next(work: Work, flow: Flow, pair: TokenPair) -> TokenPair | None:
    """What two tabs get; None if their session is over."""
    got: list[TokenPair] = []
    over: list[str] = []

    async def tab() -> None:
        exp = pair.refresh.expires_at.timestamp()
        call = work.diary.begin("refresh", family=pair.family, token=pair.refresh.id, exp=exp)
        try:
            answer = await flow.refresh(pair.refresh)
        except MintkeyError as error:
            work.diary.end(call, error.reason)
            if not isinstance(error, BackendError):
                over.append(error.reason)
        else:
            work.diary.end(call, "granted", got=answer.refresh.id)
            got.append(answer)

    for _ in range(_PATIENCE):
        async with anyio.create_task_group() as tabs:
            tabs.start_soon(tab)
            tabs.start_soon(tab)
        if got or over:
            break
        await work.pause(0.2)
    return None if over or not got else got[-1]


async def _use(work: Work, pair: TokenPair) -> None:
    call = work.diary.begin("use", token=pair.access.id, kid=pair.access.key_id, exp=pair.access.expires_at.timestamp())
    try:
        await work.tokens.verify(pair.access, ACCESS)
    except MintkeyError as error:
        work.diary.end(call, error.reason)
    else:
        work.diary.end(call, "granted")


async def _sign_out(work: Work, flow: Flow, pair: TokenPair) -> None:
    call = work.diary.begin("sign out", family=pair.family)
    try:
        await flow.revoke(pair.refresh)
    except MintkeyError as error:
        work.diary.end(call, error.reason)
    else:
        work.diary.end(call, "good")
