"""Whether a server is fit, by what it says of itself."""

import logging

import pytest
from hiredis import ReplyError

from mintkey.redis.checks import problems_of, warn_of

FIT = [b"# Replication\r\nrole:master\r\n", b"# Memory\r\nmaxmemory_policy:noeviction\r\n"]


def test_a_master_that_evicts_nothing_is_fit() -> None:
    assert problems_of(FIT) == []


def test_a_replica_is_not() -> None:
    (problem,) = problems_of([b"role:slave", FIT[1]])
    assert "refuses writes" in problem


def test_one_that_evicts_is_not() -> None:
    (problem,) = problems_of([FIT[0], b"maxmemory_policy:allkeys-lru"])
    assert "noeviction" in problem


@pytest.mark.parametrize("replies", [[ReplyError("NOPERM"), ReplyError("NOPERM")], [FIT[0], b""], []])
def test_one_that_does_not_tell_is_pointed_out(replies: list[object]) -> None:
    (problem,) = problems_of(replies)  # type: ignore[arg-type]  # replies of a server
    assert "does not tell" in problem


def test_every_problem_is_a_warning_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mintkey"):
        warn_of(["one", "two"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
