"""Real processes for tests: a module is imported once, then every task runs in a fork of its own."""

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

__all__ = ["copy", "perform", "process", "results", "say"]

_ROOT = Path(__file__).parents[2]

Tasks = Mapping[str, Callable[..., Awaitable[object]]]


@contextmanager
def process(module: str, *commands: tuple[object, ...]) -> Iterator["subprocess.Popen[str]"]:
    """A process that does one task by itself, or several in forks; it is killed when the block ends."""
    arguments = json.dumps([[str(part) for part in command] for command in commands])
    started = subprocess.Popen([sys.executable, "-m", module, arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def results(module: str, *commands: tuple[object, ...], patience: float = 60) -> list[Any]:
    """What came of tasks that began together, one answer a process, within so many seconds."""
    with process(module, *commands) as started:
        answers, _ = started.communicate(timeout=patience)
    assert started.returncode == 0
    return [json.loads(answer) for answer in answers.splitlines()]


def perform(tasks: Tasks) -> None:
    """In the process itself: do what the command line says."""
    commands: list[list[str]] = json.loads(sys.argv[1])
    if len(commands) == 1:
        _do(tasks, commands[0])
        return
    wait, go = os.pipe()
    children: list[int] = []
    for command in commands:
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(wait, 1)  # ends when the parent closes the other end: all begin together
            _do(tasks, command)
            os._exit(0)  # what follows is the parent's
        children.append(child)
    os.close(go)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(statuses))


def copy(work: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """Fork, and do some work in the copy, in an event loop of its own; the copy's process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        asyncio.run(work())
        status = 0
    except BaseException:  # noqa: BLE001 - a copy goes no further
        traceback.print_exc()
    finally:
        os._exit(status)


def say(line: str) -> None:
    """Tell the test something at once, in one write: lines of several processes do not mix."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _do(tasks: Tasks, command: list[str]) -> None:
    task, *arguments = command
    say(json.dumps(anyio.run(tasks[task], *arguments)))
