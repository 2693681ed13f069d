"""Replies are handed over once, complete, and only to who waits for them."""

import pytest
from hiredis import HiredisError

from mintkey.redis.inbox import Inbox
from mintkey.redis.protocol import Reply


@pytest.fixture
async def inbox() -> Inbox:
    return Inbox()


async def test_replies_are_handed_over_in_the_turn_in_which_the_last_one_came(inbox: Inbox) -> None:
    found: list[Reply] = []
    answered = inbox.expect(2, found.extend)
    inbox.data_received(b"+one\r\n$3\r\nt")
    assert not answered.done()
    inbox.data_received(b"wo\r\n")
    assert answered.done()
    assert found == [b"one", b"two"]
    assert inbox.is_quiet


async def test_what_came_before_it_was_expected_is_handed_over_at_once(inbox: Inbox) -> None:
    found: list[Reply] = []
    inbox.data_received(b":1\r\n:2\r\n")
    assert not inbox.is_quiet
    assert inbox.expect(1, found.extend).done()
    assert found == [1, 2]


async def test_the_beginning_of_a_reply_is_no_quiet(inbox: Inbox) -> None:
    assert not inbox.has_more
    inbox.data_received(b"$3\r\n")
    assert inbox.has_more
    assert not inbox.is_quiet


async def test_what_the_receiver_raises_belongs_to_who_waits(inbox: Inbox) -> None:
    def refuse(_replies: list[Reply]) -> None:
        raise LookupError("a surprise")

    answered = inbox.expect(1, refuse)
    inbox.data_received(b":1\r\n")
    with pytest.raises(LookupError):
        await answered


async def test_who_left_is_handed_nothing(inbox: Inbox) -> None:
    found: list[Reply] = []
    inbox.expect(1, found.extend).cancel()
    inbox.data_received(b":1\r\n")
    inbox.connection_lost(None)
    assert found == []
    assert not inbox.is_quiet


async def test_garbage_ends_it(inbox: Inbox) -> None:
    answered = inbox.expect(1, list[Reply]().extend)
    inbox.data_received(b"no such thing\r\n")
    with pytest.raises(HiredisError):
        await answered
    assert not inbox.is_quiet


async def test_a_lost_connection_is_told_now_and_later(inbox: Inbox) -> None:
    answered = inbox.expect(1, list[Reply]().extend)
    inbox.connection_lost(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await answered
    inbox.eof_received()
    with pytest.raises(EOFError):
        await inbox.expect(1, list[Reply]().extend)
