"""Whether a server is fit, by what it says of itself."""

import logging

import pytest
from hiredis import ReplyError

from mintkey.health import Check
from mintkey.redis.checks import Facts, checks_of, facts_of, problems_of, warn_of

FIT = [b"# Replication\r\nrole:master\r\n", b"# Memory\r\nmaxmemory_policy:noeviction\r\n"]
MASTER = Facts(role="master", policy="noeviction", fullness=0.25, replicas=2)
LONELY = Facts(role="master", policy="noeviction", fullness=0.75, replicas=0)
EVICTING = Facts(role="master", policy="allkeys-lru", fullness=0.1, replicas=2)
DEMOTED = Facts(role="replica", policy="noeviction", fullness=0.0, replicas=0)
SILENT = Facts(role=None, policy=None, fullness=0.0, replicas=0)


def test_a_master_that_evicts_nothing_is_fit() -> None:
    assert problems_of(facts_of(FIT)) == []


def test_a_replica_is_not() -> None:
    (problem,) = problems_of(facts_of([b"role:slave", FIT[1]]))
    assert "is a replica and refuses writes" in problem


def test_one_that_evicts_is_not() -> None:
    (problem,) = problems_of(facts_of([FIT[0], b"maxmemory_policy:allkeys-lru"]))
    assert "noeviction" in problem


@pytest.mark.parametrize("replies", [[ReplyError("NOPERM"), ReplyError("NOPERM")], [FIT[0], b""], []])
def test_one_that_does_not_tell_is_pointed_out(replies: list[object]) -> None:
    (problem,) = problems_of(facts_of(replies))  # type: ignore[arg-type]  # replies of a server
    assert "does not tell" in problem


def test_how_full_it_is_counts_against_its_limit() -> None:
    said = b"used_memory:30\r\nmaxmemory:40\r\nmaxmemory_policy:noeviction"
    assert facts_of([said]).fullness == 0.75
    assert facts_of([b"used_memory:30\r\nmaxmemory:0"]).fullness == 0
    assert facts_of([b"used_memory:many\r\nmaxmemory:few"]).fullness == 0


@pytest.mark.parametrize(
    ("servers", "eviction", "role"),
    [
        ([MASTER], Check(ok=True, word="noeviction", figure=0.25), Check(ok=True, word="master", figure=2)),
        ([MASTER, LONELY], Check(ok=True, word="noeviction", figure=0.75), Check(ok=True, word="master", figure=0)),
        ([MASTER, EVICTING], Check(ok=False, word="allkeys-lru", figure=0.25), Check(ok=True, word="master", figure=2)),
        ([DEMOTED, MASTER], Check(ok=True, word="noeviction", figure=0.25), Check(ok=False, word="replica", figure=0)),
        ([MASTER, SILENT], Check(ok=True, word="unknown", figure=0.25), Check(ok=True, word="unknown", figure=0)),
        ([SILENT, EVICTING], Check(ok=False, word="allkeys-lru", figure=0.1), Check(ok=True, word="unknown", figure=0)),
        ([], Check(ok=True, word="unknown", figure=0), Check(ok=True, word="unknown", figure=0)),
    ],
    ids=["fit", "lonely", "evicting", "demoted", "silent", "silent and evicting", "unreachable"],
)
def test_health_reports_the_worst_of_all_servers(servers: list[Facts], eviction: Check, role: Check) -> None:
    assert checks_of(servers) == {"eviction": eviction, "role": role}


def test_every_problem_is_a_warning_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mintkey"):
        warn_of(["one", "two"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
