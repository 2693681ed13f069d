"""What comes in between the commands of one claim."""

from tests.model.claims import Bounds, ClaimWorld
from tests.model.ledger import redeem, spend


def test_a_reservation_that_ends_between_the_two_commands_leaves_the_token_to_who_asks() -> None:
    """Nobody has it then, and nothing was forgotten: it was told to be unprovable, and a first use was refused."""
    world = ClaimWorld({"a": redeem, "b": spend}, Bounds(leases_end=1))

    def happen(*moves: str) -> None:
        for move in moves:
            (how,) = [(happen, whom) for kind, happen, whom in world.moves() if f"{kind} {whom}" == move]
            how[0](how[1])

    execute_a, execute_b = (f"server executes a command of {name}" for name in "ab")
    happen("beginning of a", execute_a, execute_a, execute_a, "answer for a")  # reserved
    happen("beginning of b", execute_b, "lease ends None", execute_b, execute_b, "answer for b")
    happen(execute_b, execute_b, execute_b, "answer for b")  # asked again by itself

    assert world.ledger.grants == {"b"}
