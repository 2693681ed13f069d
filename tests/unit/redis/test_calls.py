"""The answer of a call, once it has one, is final."""

import asyncio

import pytest
from hiredis import ReplyError

from mintkey.redis.calls import Call
from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.protocol import Reply


@pytest.fixture
async def call() -> Call:
    call = Call(b"", 1)
    call.done = asyncio.get_running_loop().create_future()
    return call


async def test_an_answer_after_a_failure_is_ignored(call: Call) -> None:
    call.fail("too late", "timeout")
    call.succeed([1], None, 0, False)
    call.fail("again", "other")
    assert call.error is not None
    assert call.error.code == "timeout"
    assert call.replies == ()


async def test_an_answer_for_a_caller_who_left_is_ignored(call: Call) -> None:
    call.done.cancel()
    call.succeed([1], None, 0, False)
    call.fail("too late", "timeout")
    assert call.error is None


async def test_doubt_comes_from_what_was_sent_and_stays(call: Call) -> None:
    call.falter(OSError())
    assert not call.in_doubt
    call.in_flight = True
    call.falter(OSError())
    assert call.in_doubt
    call.falter(OSError())
    call.fail("no answer", "timeout")
    assert call.error is not None
    assert call.error.may_have_run
    assert call.again().in_doubt


@pytest.mark.parametrize(
    ("is_in_flight", "told"), [(False, "Redis cannot be reached: Connection refused"), (True, "did not answer in time")]
)
async def test_a_call_whose_time_is_over_is_told_why(call: Call, is_in_flight: bool, told: str) -> None:
    """Why the last attempt failed; one that is still under way did not fail."""
    call.falter(ConnectionRefusedError(111, "10.0.0.7"))
    call.in_flight = is_in_flight
    call.expire()
    with pytest.raises(RedisCallError, match=told):
        call.raise_failure()


async def test_an_error_reply_is_raised_by_its_code_alone(call: Call) -> None:
    call.succeed([b"fine", ReplyError("WRONGTYPE of key mk{0}secret")], None, 0, False)
    with pytest.raises(RedisCallError) as caught:
        call.raise_error_reply()
    assert caught.value.code == "WRONGTYPE"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("replies", "read", "may_have_run"),
    [
        ([ReplyError("OOM"), None], b"1", False),
        ([ReplyError("NOPERM"), ReplyError("NOPERM")], ReplyError("NOPERM"), False),
        ([b"OK", ReplyError("NOPERM")], b"1", True),
        ([b"OK", b"mine"], ReplyError("WRONGTYPE"), True),
    ],
    ids=["refused", "all refused", "refused behind the first", "shared read refused"],
)
async def test_a_call_whose_first_command_is_refused_did_nothing(
    call: Call, replies: list[Reply], read: Reply, may_have_run: bool
) -> None:
    """What changes something comes first; a refusal behind it does not take that back."""
    call.succeed(replies, read, 0, False)
    with pytest.raises(RedisCallError) as caught:
        call.raise_error_reply()
    assert caught.value.may_have_run is may_have_run


@pytest.mark.parametrize(("text", "code"), [("READONLY no", "READONLY"), ("oops", "ERR"), ("", "ERR"), ("A1 b", "ERR")])
def test_a_code_is_a_word_in_capitals(text: str, code: str) -> None:
    assert code_of(ReplyError(text)) == code
