"""Real processes for tests: started together, each with an answer."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

__all__ = ["perform", "results", "say", "workers"]

_ROOT = Path(__file__).parents[2]


@contextmanager
def workers(module: str, *commands: tuple[object, ...]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that are all ready before any of them begins."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, *map(str, command)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def results(module: str, *commands: tuple[object, ...]) -> list[Any]:
    """What came of it, one answer a process."""
    with workers(module, *commands) as started:
        answers = [process.communicate(timeout=60)[0] for process in started]
    return [json.loads(answer) for answer in answers]


def perform(tasks: Mapping[str, Callable[..., Awaitable[object]]]) -> None:
    """In the process itself: do the task that the command line names."""
    task, *arguments = sys.argv[1:]
    say("ready")
    sys.stdin.readline()
    say(json.dumps(anyio.run(tasks[task], *arguments)))


def say(line: str) -> None:
    """Tell the test something at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
