"""Where signatures are made: on the spot or in which thread, what shares a hop, and that nobody disturbs another."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from mintkey.jose import threads
from mintkey.jose.prepared import offload
from mintkey.jose.threads import sign_all_here, sign_all_in_threads, sign_fairly
from mintkey.testing import FakeClock
from tests.support.signers import Held, Signer, echo

in_thread = partial(sign_fairly, is_slow=True)


def bench(clock: FakeClock) -> None:
    """Have the running loop measure its time with this clock."""
    threads._benches[asyncio.get_running_loop()] = threads._Bench(clock)


def noting_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many signatures are made in one go, from now on."""
    sizes: list[int] = []
    run = threads._run

    def noting(batch: Sequence[threads._Job]) -> Any:
        sizes.append(len(batch))
        return run(batch)

    monkeypatch.setattr(threads, "_run", noting)
    return sizes


def noting_tasks() -> list[object]:
    """What the tasks do that the running loop makes from now on."""
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    asyncio.get_running_loop().set_task_factory(factory)
    return made


# --- who is alone


@pytest.mark.parametrize(("takes", "in_a_row"), [(0, 40), (2, 2), (3, 1), (50, 1)])
async def test_a_lone_caller_signs_on_the_spot_and_gives_way_every_few_milliseconds(takes, in_a_row) -> None:
    clock = FakeClock()
    bench(clock)
    sign = Signer(clock, timedelta(milliseconds=takes))
    turns: list[int] = []

    async def another_task() -> None:
        while True:
            turns.append(len(sign.signed))
            await asyncio.sleep(0)

    other = asyncio.create_task(another_task())
    for number in range(40):
        assert await sign_fairly(sign, b"%d" % number) == b"signed %d" % number
    other.cancel()
    assert sign.here == 40
    # The loop is never held for longer than 3 ms and the signature that is under way then.
    longest = max(after - before for before, after in zip([0, *turns], [*turns, 40], strict=True))
    assert longest == in_a_row


async def test_a_caller_that_comes_again_in_another_turn_is_as_patient_as_before() -> None:
    clock = FakeClock()
    bench(clock)
    sign = Signer(clock, timedelta(milliseconds=2))
    loop, bystander = asyncio.get_running_loop(), asyncio.Event()
    for _ in range(10):
        loop.call_soon(bystander.set)
        await sign_fairly(sign, b"x")
        assert not bystander.is_set()  # there was no reason to wait
        await bystander.wait()
        bystander.clear()
    assert sign.here == 10


async def test_of_two_that_come_together_both_sign_on_the_spot_each_in_a_turn_of_its_own() -> None:
    sign = Signer()
    assert await asyncio.gather(*(sign_fairly(sign, text) for text in (b"1", b"2"))) == [b"signed 1", b"signed 2"]
    assert sign.here == 2


async def test_a_crowd_goes_to_threads_but_for_the_first() -> None:
    sign = Signer()
    await asyncio.gather(*(sign_fairly(sign, b"%d" % number) for number in range(20)))
    assert (len(sign.signed), sign.here, sign.signed[0]) == (20, 1, b"0")


async def test_who_comes_while_threads_are_at_work_goes_there_too() -> None:
    held, sign = Held(), Signer()
    first = asyncio.create_task(in_thread(held, b"held"))
    await held.running.wait()
    second = asyncio.create_task(sign_fairly(sign, b"x"))
    await asyncio.sleep(0)
    held.release.set()
    await asyncio.gather(first, second)
    assert (len(sign.signed), sign.here) == (1, 0)


async def test_who_comes_while_others_wait_for_a_thread_goes_with_them() -> None:
    sign = Signer()
    await asyncio.gather(in_thread(sign, b"slow"), sign_fairly(sign, b"quick"))
    assert (len(sign.signed), sign.here) == (2, 0)


async def test_what_is_slow_always_goes_to_a_thread() -> None:
    sign = Signer()
    for _ in range(3):
        await in_thread(sign, b"x")
    assert (len(sign.signed), sign.here) == (3, 0)


async def test_what_fails_on_the_spot_fails_for_its_caller_only() -> None:
    with pytest.raises(ZeroDivisionError):
        await sign_fairly(lambda _: b"" * (1 // 0), b"x")
    assert await sign_fairly(echo, b"x") == b"signed x"


# --- many for one caller


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 63, 64, 65, 1000])
@pytest.mark.parametrize("cores", [1, 2, 64])
async def test_many_signatures_come_in_the_order_of_their_inputs(monkeypatch, count, cores) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    inputs = [b"%d" % number for number in range(count)]
    signed = [echo(text) for text in inputs]
    assert await sign_all_in_threads(echo, inputs, at_once=64) == signed
    assert await sign_all_here(echo, inputs) == signed


async def test_many_signatures_use_threads_and_a_few_do_not(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    few, many = Signer(), Signer()
    await sign_all_in_threads(few, [b"x"] * 16, at_once=64)
    await sign_all_in_threads(many, [b"x"] * 17, at_once=64)
    assert (few.here, many.here) == (16, 0)


async def test_a_failure_among_many_is_the_callers() -> None:
    def fail(signing_input: bytes) -> bytes:
        raise ValueError(signing_input)

    inputs = [b"%d" % number for number in range(50)]
    with pytest.raises(ValueError, match=r"^b'0'$"):
        await sign_all_here(fail, inputs)
    # Whose it is in threads is for them to settle.
    with pytest.raises(ValueError, match=r"^b'[0-9]+'$"):
        await sign_all_in_threads(fail, inputs, at_once=4)


async def test_whoever_is_cancelled_leaves_the_rest_of_its_many_signatures_unmade(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    held = Held()
    task = asyncio.create_task(sign_all_in_threads(held, [b"x"] * 100, at_once=10))
    await held.running.wait()
    task.cancel()
    await asyncio.wait([task])
    held.release.set()
    assert await in_thread(echo, b"next") == b"signed next"
    assert len(held.signed) == 10


async def test_the_loop_gets_its_turn_between_many_cheap_signatures() -> None:
    sign, turns = Signer(), list[int]()

    async def another_task() -> None:
        while True:
            turns.append(len(sign.signed))
            await asyncio.sleep(0)

    other = asyncio.create_task(another_task())
    await sign_all_here(sign, [b"x"] * 1000)
    other.cancel()
    assert sign.here == 1000
    assert [turn for turn in turns if turn < 1000] == [256, 512, 768]


# --- threads


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
    batches = noting_batches(monkeypatch)
    await asyncio.gather(*(in_thread(echo, b"input") for _ in range(4)))
    assert batches == [4]


@pytest.mark.parametrize(("cores", "carriers"), [(2, 2), (64, 20)])
async def test_a_crowd_is_carried_by_one_task_a_core_and_never_by_more_than_there_is_to_carry(
    monkeypatch, cores, carriers
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    crowd = [asyncio.create_task(in_thread(echo, b"input")) for _ in range(20)]
    made = noting_tasks()
    await asyncio.gather(*crowd)
    assert len(made) == carriers


async def test_who_comes_later_finds_a_carrier_on_the_cores_that_are_left(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    held = Held()
    first = asyncio.create_task(in_thread(held, b"held"))
    await held.running.wait()
    later = [asyncio.create_task(in_thread(held, b"later")) for _ in range(5)]
    made = noting_tasks()
    await asyncio.sleep(0)
    held.release.set()
    await asyncio.gather(first, *later)
    assert len(made) == 2


@pytest.mark.parametrize("cores", [1, 2, 64])
async def test_everybody_gets_their_own_signature(monkeypatch, cores) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    inputs = [str(number).encode() for number in range(50)]
    assert await asyncio.gather(*(in_thread(echo, text) for text in inputs)) == [echo(text) for text in inputs]


async def test_what_is_asked_for_together_shares_hops_between_the_cores(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    batches = noting_batches(monkeypatch)
    await asyncio.gather(*(in_thread(echo, b"") for _ in range(4)))
    assert sorted(batches) == [1, 1, 2]
    batches.clear()
    await asyncio.gather(*(in_thread(echo, b"") for _ in range(100)))
    assert sum(batches) == 100
    assert max(batches) == 8
    assert len(batches) < 25


async def test_what_goes_wrong_for_one_goes_wrong_for_nobody_else() -> None:
    def fail(signing_input: bytes) -> bytes:
        raise ValueError(signing_input)

    signs = [echo, fail, echo, fail, echo]
    outcomes = await asyncio.gather(*(in_thread(sign, b"x") for sign in signs), return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [sign is fail for sign in signs]


@pytest.mark.parametrize("started", [False, True])
async def test_a_cancelled_caller_disturbs_nobody(monkeypatch, started) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    held = Held()
    tasks = [asyncio.create_task(in_thread(held, text)) for text in (b"1", b"2", b"3")]
    if started:
        await held.running.wait()
    else:
        await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    held.release.set()
    assert list(await asyncio.gather(tasks[0], tasks[2])) == [b"signed 1", b"signed 3"]
    assert tasks[1].cancelled()
    assert held.signed == [b"1", b"3"]


async def test_a_caller_that_is_cancelled_in_the_middle_of_its_own_signature() -> None:
    held = Held()
    with anyio.move_on_after(0.01) as scope:
        await in_thread(held, b"x")
    assert scope.cancelled_caught
    held.release.set()
    assert await in_thread(echo, b"next") == b"signed next"


async def test_no_thread_to_be_had_is_an_error_and_no_hang(monkeypatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("anyio.to_thread.run_sync", refuse)
        outcomes = await asyncio.gather(*(in_thread(echo, b"x") for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["can't start new thread"] * 3
    assert await in_thread(echo, b"x") == b"signed x"


def test_a_closing_loop_leaves_nobody_waiting() -> None:
    waiting: list[asyncio.Task[bytes]] = []
    carriers: list[asyncio.Task[None]] = []

    async def main() -> None:
        held = Held()
        waiting.extend(asyncio.create_task(in_thread(held, b"x")) for _ in range(3))
        await held.running.wait()
        # What a closing loop does to every task; the carriers are not ours to see otherwise.
        carriers.extend(asyncio.all_tasks() - {asyncio.current_task(), *waiting})
        for task in carriers:
            task.cancel()
        await asyncio.wait(waiting[:1])
        held.release.set()

    asyncio.run(main())
    assert all(task.cancelled() for task in [*waiting, *carriers])


def test_eager_tasks_change_nothing() -> None:
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        pytest.skip("this Python has no eager tasks")
    inputs = [b"%d" % number for number in range(20)]

    async def main() -> list[list[bytes]]:
        asyncio.get_running_loop().set_task_factory(factory)
        return [await asyncio.gather(*map(partial(sign, echo), inputs)) for sign in (sign_fairly, in_thread)]

    assert asyncio.run(main()) == [[echo(text) for text in inputs]] * 2


def test_nothing_is_left_of_a_loop_that_is_gone() -> None:
    async def main() -> "weakref.ref[asyncio.AbstractEventLoop]":
        await asyncio.gather(*(sign_fairly(echo, b"x") for _ in range(2)))  # no thread, which would be late to leave
        return weakref.ref(asyncio.get_running_loop())

    gone = asyncio.run(main())
    gc.collect()
    assert gone() is None
