"""What comes in between the commands of one claim."""

import pytest

from mintkey.replay import ClaimOutcome, RedisReplayStore
from tests.model.claims import Bounds, ClaimWorld
from tests.model.ledger import CLOCK, TOKEN, Ledger, redeem, spend, spend_twice

EXECUTE_A, EXECUTE_B = (f"server executes a command of {name}" for name in "ab")


def happen(world: ClaimWorld, *moves: str) -> None:
    """Have this happen, in this order."""
    for move in moves:
        ((how, whom),) = [(how, whom) for kind, how, whom in world.moves() if f"{kind} {whom}" == move]
        how(whom)


def test_a_reservation_that_ends_between_the_two_commands_leaves_the_token_to_who_asks() -> None:
    """Nobody has it then, and nothing was forgotten: it was told to be unprovable, and a first use was refused."""
    world = ClaimWorld({"a": redeem, "b": spend}, Bounds(leases_end=1))
    happen(world, "beginning of a", EXECUTE_A, EXECUTE_A, EXECUTE_A, "answer for a")  # reserved
    happen(world, "beginning of b", EXECUTE_B, "lease ends None", EXECUTE_B, EXECUTE_B, "answer for b")
    happen(world, EXECUTE_B, EXECUTE_B, EXECUTE_B, "answer for b")  # asked again by itself
    assert world.ledger.grants == {"b"}


def test_memory_that_is_lost_between_the_two_commands_proves_nothing_and_leaves_nothing_to_take_back() -> None:
    world = ClaimWorld({"a": redeem, "b": spend}, Bounds(losses=1))
    happen(world, "beginning of a", EXECUTE_A, EXECUTE_A, EXECUTE_A, "answer for a")  # reserved
    happen(world, "beginning of b", EXECUTE_B, "loss of memory None", EXECUTE_B, EXECUTE_B, "answer for b")
    happen(world, EXECUTE_B, EXECUTE_B, "answer for b")  # memory begins anew, and no script comes before that
    assert not world.ledger.grants
    assert len(world.server.data) == 1


def test_an_unprovable_claim_whose_first_answer_was_lost_leaves_no_mark() -> None:
    """It did, and whoever came next was told of a use that nobody had."""
    world = ClaimWorld({"a": spend, "b": spend}, Bounds(losses=1, delays=1))
    happen(world, "loss of memory None", "beginning of a", EXECUTE_A, EXECUTE_A, EXECUTE_A, "answer for a")
    happen(world, EXECUTE_A, "answer for a", EXECUTE_A, EXECUTE_A, "answer for a")  # took it back, began memory anew
    happen(world, "beginning of b", EXECUTE_B, EXECUTE_B, EXECUTE_B, "silence for b")
    happen(world, EXECUTE_B, EXECUTE_B, EXECUTE_B, "answer for b", EXECUTE_B, "answer for b")
    assert not world.ledger.grants
    assert len(world.server.data) == 1


def told(*moves: str) -> list[ClaimOutcome]:
    """What two who spend are told, after the server lost its memory and this happened."""
    heard: list[ClaimOutcome] = []

    async def spend_and_tell(store: RedisReplayStore, owner: str, _ledger: Ledger) -> None:
        heard.append(await store.claim(TOKEN, owner=owner, issued_at=CLOCK.now(), expires_at=CLOCK.now()))

    world = ClaimWorld({"a": spend_and_tell, "b": spend_and_tell}, Bounds(losses=1))
    happen(world, "loss of memory None", *moves)
    return heard


UNTIL_BOTH_ARE_WRITTEN = ("beginning of a", EXECUTE_A, "beginning of b", EXECUTE_B, EXECUTE_B)
ANSWER_A, ANSWER_B = "answer for a", "answer for b"
BEGINS_ANEW = (EXECUTE_A, ANSWER_A, EXECUTE_A, EXECUTE_A, ANSWER_A)


@pytest.mark.parametrize(
    "moves",
    [
        (EXECUTE_B, ANSWER_B, EXECUTE_B, EXECUTE_B, ANSWER_B),
        (EXECUTE_A, EXECUTE_A, ANSWER_A, *BEGINS_ANEW, EXECUTE_B, ANSWER_B),
    ],
    ids=["nobody noticed yet", "the other one began the memory anew"],
)
def test_a_mark_that_will_be_taken_back_is_nobody_s_use(moves: tuple[str, ...]) -> None:
    """Two claims meet at a server that lost its memory: the second was told that the token had been used."""
    assert ClaimOutcome.SPENT not in told(*UNTIL_BOTH_ARE_WRITTEN, *moves)
    assert ClaimOutcome.UNPROVABLE in told(*UNTIL_BOTH_ARE_WRITTEN, *moves)


def test_who_knows_that_memory_was_lost_writes_nothing_for_an_older_token() -> None:
    world = ClaimWorld({"a": spend_twice, "b": spend}, Bounds(losses=1))
    happen(world, "loss of memory None", "beginning of a", EXECUTE_A, EXECUTE_A, EXECUTE_A, ANSWER_A, *BEGINS_ANEW)
    happen(world, EXECUTE_A)  # asks for the mark
    assert len(world.server.data) == 1
    happen(world, EXECUTE_A, ANSWER_A)
    assert len(world.server.data) == 1
