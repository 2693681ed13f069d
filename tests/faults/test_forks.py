"""A process that used a store and then forked: parent and child are two processes from then on, and disturb nobody."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from mintkey.files.private import PrivateDirectory
from tests.support.postgres import PostgresDatabase
from tests.support.servers import RedisServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["redis", "postgresql"])
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a server."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("valkey")
        return server.url
    database: PostgresDatabase = request.getfixturevalue("postgres")
    return database.url


def said_on(place: str) -> dict[str, list[Any]]:
    """What the processes said, by what it is about."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.forking", place]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr, "nobody found strange answers on a connection"
    said = defaultdict[str, list[Any]](list)
    for line in done.stdout.splitlines():
        what, answer = json.loads(line)
        said[what].append(answer)
    return said


def test_a_process_and_its_copy_are_two(place: str) -> None:
    """One of them is granted each token, and what one has set aside is signed with, and given back, by that one."""
    said = said_on(place)
    granted = Counter(name for names in said["granted"] for name in names)
    assert len(granted) == 30
    assert set(granted.values()) == {1}
    assert sum(said["used"]) == 2000 + 1 + 3 * 400
    assert said["counted"] == [sum(said["used"])], "what is counted at the end is what was signed, so the cap holds"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_copy_that_was_made_while_a_file_was_locked_locks_nobody_out(tmp_path: Path) -> None:
    """It has the lock's file open for as long as it lives."""
    going, go = os.pipe()
    with PrivateDirectory.opened(str(tmp_path / "keys"), create=True) as directory:
        with directory.locked("ring.lock"):
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(going, 1)  # ends when the test does
                os._exit(0)
        with directory.locked("ring.lock"):
            pass
    os.close(go)
    os.close(going)
    assert os.waitpid(child, 0)[1] == 0


REFUSED = (
    "replay_unavailable: this process was forked off by one that had the file open, and SQLite could lose what it "
    "commits: fork before the file is used, or use a database server"
)


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (
            "used",
            [
                "parent a: accepted",
                f"copy b: {REFUSED}",
                f"new store b: {REFUSED}",
                f"copy of the copy b: {REFUSED}",
                "new file b: accepted",
                "parent a: spent",
                "parent b: accepted",
            ],
        ),
        ("locked", ["parent a: accepted", f"copy b: {REFUSED}"]),
        ("closed", ["parent a: accepted", "copy a: spent", "copy b: accepted", "parent b: spent"]),
        ("engine", ["parent a: accepted", f"copy a: {REFUSED}", "copy a: spent"]),
    ],
)
def test_a_copy_is_refused_a_file_of_sqlite_that_was_open(scenario: str, said: list[str], tmp_path: Path) -> None:
    """SQLite does not bear it: what a copy commits is lost when the others close the file."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.sqlite_copy", scenario, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, said, "")
