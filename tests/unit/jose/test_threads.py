"""Worker threads: how many, what shares a hop, and that one caller never disturbs another."""

import asyncio
import threading
from functools import partial

import anyio
import pytest

from mintkey.jose import threads
from mintkey.jose.prepared import offload
from mintkey.jose.threads import sign_in_thread


def echo(signing_input: bytes) -> bytes:
    return b"signed " + signing_input


async def test_offload_returns_what_the_function_returns_and_raises_what_it_raises() -> None:
    assert await offload(sum, (1, 2)) == 3
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 1, 0)
    assert await offload(threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize("cores", [1, 2])
def test_at_most_one_thread_a_core_works_in_each_event_loop(monkeypatch, cores) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    running, most = 0, 0
    lock, together = threading.Lock(), threading.Barrier(cores, timeout=5)

    def work(value: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1
        return value

    async def main() -> list[int]:
        return await asyncio.gather(*(offload(work, value) for value in range(4 * cores)))

    for _ in range(2):  # a second loop has a limiter of its own
        assert asyncio.run(main()) == list(range(4 * cores))
    assert most == cores


async def test_a_machine_that_cannot_count_its_cores_has_one_thread(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert await sign_in_thread(echo, b"input") == b"signed input"


@pytest.mark.parametrize("cores", [1, 2, 64])
async def test_everybody_gets_their_own_signature(monkeypatch, cores) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    inputs = [str(number).encode() for number in range(50)]
    assert await asyncio.gather(*(sign_in_thread(echo, text) for text in inputs)) == [echo(text) for text in inputs]


async def test_what_is_asked_for_together_shares_hops_between_the_cores(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    batches: list[int] = []
    run = threads._run

    def counting(batch):
        batches.append(len(batch))
        return run(batch)

    monkeypatch.setattr(threads, "_run", counting)
    await asyncio.gather(*(sign_in_thread(echo, b"") for _ in range(4)))
    assert sorted(batches) == [1, 1, 2]
    batches.clear()
    await asyncio.gather(*(sign_in_thread(echo, b"") for _ in range(100)))
    assert sum(batches) == 100
    assert max(batches) == 8
    assert len(batches) < 25


async def test_what_goes_wrong_for_one_goes_wrong_for_nobody_else() -> None:
    def fail(signing_input: bytes) -> bytes:
        raise ValueError(signing_input)

    signs = [echo, fail, echo, fail, echo]
    outcomes = await asyncio.gather(*(sign_in_thread(sign, b"x") for sign in signs), return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [sign is fail for sign in signs]


@pytest.mark.parametrize("started", [False, True])
async def test_a_cancelled_caller_disturbs_nobody(monkeypatch, started) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    signed: list[bytes] = []
    release = threading.Event()
    running = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(signing_input: bytes) -> bytes:
        loop.call_soon_threadsafe(running.set)
        release.wait(5)
        signed.append(signing_input)
        return signing_input

    tasks = [asyncio.create_task(sign_in_thread(slow, text)) for text in (b"1", b"2", b"3")]
    if started:
        await running.wait()
    else:
        await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    release.set()
    assert list(await asyncio.gather(tasks[0], tasks[2])) == [b"1", b"3"]
    assert tasks[1].cancelled()
    assert signed == [b"1", b"3"]


async def test_a_caller_that_is_cancelled_in_the_middle_of_its_own_signature() -> None:
    release = threading.Event()

    def slow(text: bytes) -> bytes:
        release.wait(5)
        return text

    with anyio.move_on_after(0.01) as scope:
        await sign_in_thread(slow, b"x")
    assert scope.cancelled_caught
    release.set()
    assert await sign_in_thread(echo, b"next") == b"signed next"


async def test_no_thread_to_be_had_is_an_error_and_no_hang(monkeypatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("anyio.to_thread.run_sync", refuse)
        outcomes = await asyncio.gather(*(sign_in_thread(echo, b"x") for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["can't start new thread"] * 3
    assert await sign_in_thread(echo, b"x") == b"signed x"


def test_a_closing_loop_leaves_nobody_waiting() -> None:
    release = threading.Event()
    waiting: list[asyncio.Task[bytes]] = []

    async def main() -> None:
        running = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(text: bytes) -> bytes:
            loop.call_soon_threadsafe(running.set)
            release.wait(5)
            return text

        waiting.extend(asyncio.create_task(sign_in_thread(slow, b"x")) for _ in range(3))
        await running.wait()
        # What a closing loop does to every task; the carriers are not ours to see otherwise.
        for task in asyncio.all_tasks() - {asyncio.current_task(), *waiting}:
            task.cancel()
        await asyncio.wait(waiting[:1])
        release.set()

    asyncio.run(main())
    assert all(task.cancelled() for task in waiting)


def test_eager_tasks_change_nothing() -> None:
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        pytest.skip("this Python has no eager tasks")

    async def main() -> list[bytes]:
        asyncio.get_running_loop().set_task_factory(factory)
        return await asyncio.gather(*map(partial(sign_in_thread, echo), [b"1", b"2", b"3"]))

    assert asyncio.run(main()) == [b"signed 1", b"signed 2", b"signed 3"]
