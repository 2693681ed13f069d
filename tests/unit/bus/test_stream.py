"""What answers of a server mean, and that strange ones are told from good ones."""

import asyncio
from typing import Any

import pytest

from mintkey.bus import GroupStanding
from mintkey.bus.stream import Stream, entries_of, position_of
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply, ReplyError


class Client:
    """Answers every call with the same replies."""

    class _Answered:
        def __init__(self, replies: list[Reply]) -> None:
            self.replies = replies

        def error_reply(self) -> ReplyError | None:
            return next((reply for reply in self.replies if isinstance(reply, ReplyError)), None)

        def raise_error_reply(self) -> None:
            error = self.error_reply()
            if error is not None:
                raise RedisCallError(str(error), code="ERR", may_have_run=False)

    def __init__(self, *replies: Reply) -> None:
        self._answered = self._Answered(list(replies))
        self.link = self

    async def answer(self, *_: Any) -> "Client._Answered":
        return self._answered

    send = run = answer


def stream_of(*replies: Reply) -> Stream:
    return Stream(Client(*replies), "events", prefix="mk", max_length=100)  # type: ignore[arg-type]  # a stand-in


def test_places_are_compared_as_numbers() -> None:
    assert position_of(b"9-9") < position_of(b"10-0") < position_of(b"10-2") < position_of(b"10-11")


@pytest.mark.parametrize("reply", [None, 1, b"text", [1], [[b"1-0", None]], [[1, []]]], ids=str)
def test_what_are_no_entries_is_told(reply: Reply) -> None:
    with pytest.raises(RedisCallError, match="another shape"):
        entries_of(reply)


@pytest.mark.parametrize(
    ("reply", "call"),
    [
        ([[b"1-0", b"me"]], lambda it: it.pending("g", idle=0, after=None, count=1, consumer=None)),
        (None, lambda it: it.take_losses("g")),
        ([1, 1, 1], lambda it: it.publish("an-id", b"", b"")),
    ],
    ids=["pending", "losses", "groups"],
)
def test_strange_answers_are_errors_and_no_results(reply: Reply, call: Any) -> None:
    with pytest.raises(RedisCallError, match="another shape"):
        asyncio.run(call(stream_of(reply)))


async def test_losses_are_told_by_group() -> None:
    assert await stream_of([1, b"billing", 3, b"audit", 1]).publish("an-id", b"", b"") == {"billing": 3, "audit": 1}


async def test_a_group_whose_lag_the_server_cannot_tell_is_taken_to_be_far_behind() -> None:
    facts: list[Reply] = [b"name", b"g", b"consumers", 1, b"pending", 2, b"last-delivered-id", b"0-0", b"lag", None]
    assert await stream_of(60, [facts]).standings() == [
        GroupStanding("g", consumers=1, pending=2, behind=60, kept=60, limit=100)
    ]


async def test_no_stream_has_no_groups_and_something_else_in_its_place_is_an_error() -> None:
    missing = ReplyError("ERR no such key")
    assert await stream_of(0, missing).standings() == []
    with pytest.raises(RedisCallError):
        await stream_of(ReplyError("WRONGTYPE no"), ReplyError("WRONGTYPE no")).standings()


async def test_nothing_is_discarded_if_nothing_is_named() -> None:
    assert await stream_of().discard("g", ()) == 0
