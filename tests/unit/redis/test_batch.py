"""One write for many calls, and to each of them its own replies."""

import asyncio

import pytest
from hiredis import ReplyError

from mintkey.redis.batch import Batch
from mintkey.redis.calls import Call
from mintkey.redis.protocol import pack, unpack


def call(word: str, *, count: int = 1, also_read: bytes | None = None, pulse: bytes | None = None) -> Call:
    made = Call(pack("SAY", word) * count, count, also_read, pulse)
    made.done = asyncio.get_running_loop().create_future()
    return made


def words(batch: Batch) -> list[bytes]:
    return [command[-1] for command in unpack(batch.commands)]


async def test_shared_reads_come_once_and_behind_all_commands() -> None:
    """Read before them, a value may be of an earlier life of the server than the answers to the commands."""
    twice = call("three", count=2, also_read=b"a")
    calls = [call("one", also_read=b"a"), call("two", also_read=b"b"), twice, call("x")]
    batch = Batch(calls, replicas=0, patience=1.0)
    assert words(batch) == [b"one", b"two", b"three", b"three", b"x", b"a", b"b"]
    assert batch.count == 7
    batch.hand_out([1, 2, 3, 4, 5, b"of a", b"of b"])
    assert [(list(each.replies), each.read) for each in calls] == [
        ([1], b"of a"),
        ([2], b"of b"),
        ([3, 4], b"of a"),
        ([5], None),
    ]
    assert batch.found_fit


async def test_replicas_are_waited_for_behind_a_write_and_only_then() -> None:
    pulse = pack("PULSE", "beat")
    looking, writing = call("look"), call("write", pulse=pulse)
    assert words(Batch([looking], replicas=2, patience=1.0)) == [b"look"]
    assert words(Batch([writing], replicas=0, patience=1.0)) == [b"write"]
    batch = Batch([looking, writing, call("more", pulse=pulse)], replicas=2, patience=0.5)
    assert unpack(batch.commands)[-2:] == [[b"PULSE", b"beat"], [b"WAIT", b"2", b"500"]]
    assert batch.count == 5
    batch.hand_out([1, 2, 3, b"OK", 2])
    assert (looking.replicas, writing.replicas) == (2, 2)


async def test_what_replicas_say_that_is_no_number_confirms_nothing() -> None:
    writing = call("write", pulse=pack("PULSE"))
    Batch([writing], replicas=1, patience=1.0).hand_out([1, b"OK", ReplyError("ERR unknown command")])
    assert writing.replicas == 0


async def test_an_error_is_its_own_calls_alone() -> None:
    good, refused = call("good"), call("refused")
    batch = Batch([good, refused], replicas=0, patience=1.0)
    batch.hand_out([b"fine", ReplyError("WRONGTYPE no")])
    assert good.error_reply() is None
    good.raise_error_reply()
    assert refused.error_reply() is not None
    assert batch.found_fit


@pytest.mark.parametrize("code", ["LOADING", "MASTERDOWN", "NOAUTH", "READONLY"])
async def test_a_server_that_does_not_serve_is_found_out(code: str) -> None:
    batch = Batch([call("one")], replicas=0, patience=1.0)
    batch.hand_out([ReplyError(f"{code} not now")])
    assert not batch.found_fit


async def test_until_it_is_answered_nothing_is_known_of_the_server_and_each_call_may_have_run() -> None:
    sent = call("one")
    assert not Batch([sent], replicas=0, patience=1.0).found_fit
    assert sent.in_flight


async def test_who_left_gets_nothing_and_disturbs_nobody() -> None:
    leaving, staying = call("leaving"), call("staying")
    batch = Batch([leaving, staying], replicas=0, patience=1.0)
    leaving.done.cancel()
    batch.hand_out([1, 2])
    assert leaving.replies == ()
    assert list(staying.replies) == [2]
