"""A tutorial that is followed: its files in a folder, its commands in terminals, on ports of the test's own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docs.page import Page
from tests.support.servers import free_port

__all__ = ["Folder", "Terminal"]

_FILE = re.compile(r"into `([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""What the reader puts into a file: the sentence that says so, and the block behind it."""

_PATIENCE = 60.0


@dataclass
class Terminal:
    """Where a command runs that does not end by itself."""

    process: subprocess.Popen[bytes]
    screen: Path

    def said(self) -> str:
        """All that is to be read in it."""
        return self.screen.read_text(encoding="utf-8")

    def until(self, pattern: str, *, times: int = 1) -> list[str]:
        """All that matches, as soon as it is there so many times."""
        deadline = time.monotonic() + _PATIENCE
        while len(found := re.findall(pattern, self.said())) < times:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return found

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to everything that was started in it, and wait until the command has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(_PATIENCE)


class Folder:
    """A folder of a reader, and what he has installed.

    Args:
        directory: An empty one.
        ports: Those that the pages name, the application's first; each is another one here, because it may be taken.
    """

    def __init__(self, directory: Path, *ports: int) -> None:
        self.path = directory / "folder"
        commands = directory / "bin"
        for made in (self.path, commands):
            made.mkdir()
        (commands / "mintkey").write_text(f'#!/bin/sh\nexec {sys.executable} -m mintkey "$@"\n', encoding="utf-8")
        (commands / "mintkey").chmod(0o755)
        self.ports: Mapping[int, int] = {port: free_port() for port in ports}
        self._directory = directory
        self._environment = {
            "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "UVICORN_PORT": str(self.ports[ports[0]]),
        }

    def here(self, text: str) -> str:
        """What a page says, with the ports of this folder."""
        for port, ours in self.ports.items():
            text = text.replace(str(port), str(ours))
        return text

    def write(self, page: Page) -> dict[str, str]:
        """Write the files of a page; their names, and what the page has in them."""
        files = dict(_FILE.findall(page.text))
        for name, text in files.items():
            (self.path / name).write_text(self.here(text), encoding="utf-8")
        return files

    def run(self, command: str) -> str:
        """What a command prints that ends by itself, and well."""
        done = subprocess.run(
            ["sh", "-euc", self.here(command)],
            env=self._environment,
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * _PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def terminal(self, command: str) -> Iterator[Terminal]:
        """A command that goes on until the block ends; then everything that it started is gone."""
        screen = self._directory / f"screen-{len(list(self._directory.glob('screen-*')))}"
        with screen.open("wb") as stream:
            started = subprocess.Popen(
                ["sh", "-euc", self.here(command)],
                env=self._environment,
                cwd=self.path,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        terminal = Terminal(started, screen)
        try:
            yield terminal
        finally:
            terminal.end()
