"""What comes in between the commands of one claim."""

from tests.model.claims import Bounds, ClaimWorld
from tests.model.ledger import redeem, spend

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
    happen(world, EXECUTE_B, "answer for b")  # memory begins anew: one command, and no script before it
    assert not world.ledger.grants
    assert len(world.server.data) == 1


def test_an_unprovable_claim_whose_first_answer_was_lost_leaves_no_mark() -> None:
    """It did, and whoever came next was told of a use that nobody had."""
    world = ClaimWorld({"a": spend, "b": spend}, Bounds(losses=1, delays=1))
    happen(world, "loss of memory None", "beginning of a", EXECUTE_A, EXECUTE_A, EXECUTE_A, "answer for a")
    happen(world, EXECUTE_A, "answer for a", EXECUTE_A, "answer for a")  # took its mark back, and began memory anew
    happen(world, "beginning of b", EXECUTE_B, EXECUTE_B, EXECUTE_B, "silence for b")
    happen(world, EXECUTE_B, EXECUTE_B, EXECUTE_B, "answer for b", EXECUTE_B, "answer for b")
    assert not world.ledger.grants
    assert len(world.server.data) == 1
