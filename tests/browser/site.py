"""The example application in a process of its own, started as its documentation says."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import free_port

__all__ = ["EXAMPLE", "Site", "serving"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "sign_in"

_START_SECONDS = 30.0


@dataclass(frozen=True)
class Site:
    """Where an application is served."""

    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def at(self, host: str) -> str:
        """The same place under another name."""
        return f"http://{host}:{self.port}"


@contextmanager
def serving(**environment: str) -> Iterator[Site]:
    """An application for as long as the block lasts; on another port if somebody was quicker."""
    for _ in range(3):
        site = Site(free_port())
        started = _started(site, environment)
        try:
            if _answers(site, started):
                yield site
                return
        finally:
            _end(started)
    raise RuntimeError("the example does not start")


def _started(site: Site, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINTKEY_")}
    return subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLE.relative_to(ROOT)],
        cwd=ROOT,
        env={**inherited, "MINTKEY_ISSUER": site.url, **environment},
        start_new_session=True,  # with its workers, so that none of them is left
    )


def _answers(site: Site, started: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        with suppress(OSError), socket.create_connection(("localhost", site.port), timeout=1):
            return True
        time.sleep(0.05)
    return False


def _end(started: "subprocess.Popen[bytes]") -> None:
    started.terminate()
    try:
        started.wait(timeout=10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
