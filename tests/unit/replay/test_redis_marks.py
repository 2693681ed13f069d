"""What a mark says, and how little of it there is."""

import pytest

from mintkey.ids import new_id
from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import ReplyError
from mintkey.replay.base import ClaimOutcome, ClaimStatus
from mintkey.replay.redis_marks import RESERVED, SPENT, holder_of, outcome_of, status_of


def test_owners_of_any_length_are_remembered_by_nine_bytes_each_by_its_own() -> None:
    owners = ["", "a", "first", "first ", "ü" * 100, "\ud800", *(new_id() for _ in range(200))]
    assert {len(holder_of(owner)) for owner in owners} == {9}
    assert len({holder_of(owner) for owner in owners}) == len(owners)


@pytest.mark.parametrize(
    ("held", "outcome"),
    [
        (SPENT + holder_of("somebody"), ClaimOutcome.SPENT),
        (RESERVED + holder_of("somebody"), ClaimOutcome.RESERVED),
        (b"x", ClaimOutcome.REVOKED),
    ],
)
def test_somebody_elses_mark_says_what_became_of_the_token(held: bytes, outcome: ClaimOutcome) -> None:
    assert outcome_of(held) is outcome
    assert status_of(held) is ClaimStatus(outcome.value)


@pytest.mark.parametrize("held", [b"", b"unknown", 7, [], ReplyError("ERR"), None])
def test_what_is_not_ours_is_an_error_never_a_grant(held: object) -> None:
    with pytest.raises(RedisCallError):
        outcome_of(held)  # type: ignore[arg-type]  # whatever a foreign program left there
