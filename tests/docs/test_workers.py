"""What the recipe for workers shows runs under taskiq and FastStream, in their own processes, on a real Redis."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import anyio
import pytest
from anyio import to_thread
from taskiq.api import run_receiver_task

from mintkey import ConfigurationError, KeyProviderError, MintedToken, TokenReplayedError, TokenService
from mintkey.keys import Sealer
from tests.docs.page import Page
from tests.docs.refusals import ISSUER
from tests.support.polling import until
from tests.support.servers import RedisServer

PAGE = Page("workers")

SLOW = """
async def charge(account, order, *, idempotency_key):
    print(f"charging {account} for {order}", flush=True)
    if os.environ.get("SLOW"):
        import asyncio
        await asyncio.sleep(3600)
    print(f"charged {idempotency_key}", flush=True)
"""


@pytest.fixture
def environment(valkey: RedisServer) -> dict[str, str]:
    return {
        "MINTKEY_ISSUER": ISSUER,
        "MINTKEY_SEAL_KEYS": Sealer.generate_key(),
        "MINTKEY_STORE": valkey.url,
        "PAYMENT_SECONDS": "1",
        "QUEUE": valkey.url,
    }


@pytest.fixture
def jobs(monkeypatch, environment) -> SimpleNamespace:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "jobs", ModuleType("jobs"))
    names = PAGE.names(__name__="jobs")
    names["namespace"] = names
    return SimpleNamespace(**names)


@pytest.fixture
async def tokens(jobs) -> AsyncIterator[TokenService]:
    """The service of the process that asks for the work, and of the one in which links are used."""
    async with jobs.MintkeySettings().token_service() as tokens:
        yield tokens


@contextmanager
def worker(
    command: str, directory: Path, environment: dict[str, str], *, more: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A worker as the page starts it, and what it prints."""
    assert f"`{command}`" in PAGE.text
    (directory / "jobs.py").write_text("".join(PAGE.blocks()) + more, encoding="utf-8")
    program, *arguments = command.split()
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / program), *arguments, "--workers", "1"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


async def told(process: subprocess.Popen[str], words: str) -> str:
    """What stands behind these words in the next line that has them."""

    def read() -> str:
        assert process.stdout is not None
        seen: list[str] = []
        for line in process.stdout:
            seen.append(line)
            if words in line:
                return line.partition(words)[2].strip()
        raise AssertionError("".join(seen))

    with anyio.fail_after(60):
        return await to_thread.run_sync(read, abandon_on_cancel=True)


# taskiq


async def test_a_worker_sends_a_link_that_signs_in_once(tmp_path, environment, jobs, tokens):
    await jobs.links.startup()
    task = await jobs.send_link.kiq("alice@example.com")
    with worker("taskiq worker jobs:links", tmp_path, environment) as process:
        mail = await told(process, "to alice@example.com: ")
    link = mail.removeprefix("https://myapp.example/magic?token=")
    assert (await tokens.peek(link, jobs.LOGIN)).id == task.task_id
    assert (await tokens.verify(link, jobs.LOGIN)).subject == "alice@example.com"
    again = await tokens.mint(jobs.LOGIN, subject="alice@example.com", token_id=task.task_id)
    with pytest.raises(TokenReplayedError):  # what the same job sent a second time
        await tokens.verify(again, jobs.LOGIN)
    await jobs.links.shutdown()


@pytest.mark.parametrize(
    ("error", "retried"),
    [(KeyProviderError("away"), True), (ConfigurationError("a mistake"), False)],
    ids=["outage", "mistake"],
)
async def test_only_an_outage_is_tried_again(jobs, valkey, error, retried):
    sent: list[str] = []
    problems = [error]
    called = asyncio.Event()

    async def send_mail(_to: str, text: str) -> None:
        sent.append(text.partition("token=")[2])
        called.set()
        if problems:
            raise problems.pop()

    async def is_done() -> bool:
        return called.is_set() and await left(valkey, "links", "taskiq") == 0

    jobs.namespace["send_mail"] = send_mail
    # The source tells what is due in this minute or before: ten seconds from now may be in the next.
    (retrying,) = (found for found in jobs.links.middlewares if isinstance(found, jobs.SmartRetryMiddleware))
    assert retrying.default_delay == 10
    retrying.default_delay = 0
    jobs.links.is_worker_process = True  # so that it opens the service
    receiver = asyncio.create_task(run_receiver_task(jobs.links, run_startup=True))
    try:
        await until(lambda: knows(valkey, "links"))
        task = await jobs.send_link.kiq("alice@example.com")
        await until(is_done)
        schedules = await jobs.later.get_schedules()
        assert [(again.task_id, again.args) for again in schedules] == [(task.task_id, ["alice@example.com"])] * retried
        for again in schedules:
            called.clear()
            await jobs.scheduler.on_ready(jobs.later, again)  # what the scheduler does when it is time
            await until(is_done)
        for link in sent:
            assert (await jobs.tokens.peek(link, jobs.LOGIN)).id == task.task_id
        assert len(sent) == 1 + retried
    finally:
        receiver.cancel()
        await asyncio.wait([receiver])
        await jobs.links.shutdown()
        await jobs.later.shutdown()


async def left(valkey: RedisServer, stream: str, group: str) -> int:
    """How many messages of a group are not done."""
    return int((await valkey.send("XPENDING", stream, group))["pending"])


async def knows(valkey: RedisServer, stream: str) -> bool:
    """Whether somebody reads a stream."""
    return bool(await valkey.send("EXISTS", stream))


# FastStream


def approval(jobs, tokens: TokenService) -> Awaitable[MintedToken]:
    return tokens.mint(jobs.APPROVAL, subject="account 7", claims={"order": "1001"})


async def test_a_killed_workers_payment_is_taken_over_and_done_once(tmp_path, valkey, environment, jobs, tokens):
    token = await approval(jobs, tokens)
    async with jobs.payments:
        with worker("faststream run jobs:app", tmp_path, {**environment, "SLOW": "yes"}, more=SLOW) as process:
            await until(lambda: knows(valkey, "payments"))
            await jobs.payments.publish(jobs.Payment(approval=token), stream="payments")
            assert await told(process, "charging ") == "account 7 for 1001"
        with worker("faststream run jobs:app", tmp_path, environment, more=SLOW) as process:
            assert await told(process, "charged ") == token.id

            async def is_done() -> bool:
                return await left(valkey, "payments", "bank") == 0

            await until(is_done)
            with pytest.raises(TokenReplayedError):
                await tokens.verify(token, jobs.APPROVAL)
            await jobs.payments.publish(jobs.Payment(approval=token), stream="payments")
            assert await told(process, "refused: ") == "replayed"


async def test_what_failed_and_what_was_reserved_comes_again(valkey, jobs, tokens):
    failing, reserved = await approval(jobs, tokens), await approval(jobs, tokens)
    tried: list[str] = []
    failed = asyncio.Event()

    async def charge(_account: str, _order: str, *, idempotency_key: str) -> None:
        tried.append(idempotency_key)
        if not failed.is_set():
            failed.set()
            raise ConnectionError("the bank is away")

    async def is_done() -> bool:
        return await left(valkey, "payments", "bank") == 0

    jobs.namespace["charge"] = charge
    await jobs.app.start()
    try:
        async with tokens.redeem(reserved, jobs.APPROVAL):
            for token in (reserved, failing):
                await jobs.payments.publish(jobs.Payment(approval=token), stream="payments")
            await failed.wait()
            assert not await is_done()
            await tokens.peek(failing, jobs.APPROVAL)
        await until(is_done)
    finally:
        await jobs.app.stop()
        await jobs.tokens.aclose()
    assert tried == [failing.id, failing.id]  # the test itself used the other one, so that its message was refused
    for token in (reserved, failing):
        with pytest.raises(TokenReplayedError):
            await tokens.peek(token, jobs.APPROVAL)


def test_the_page_is_short():
    assert len(PAGE.text.splitlines()) < 200
