"""The processes of a soak: `python -m tests.soak.workers URL DIRECTORY`. Whoever is killed is followed by another."""

import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tests.soak.minting import mint, refresh, revoke, turn_keys
from tests.soak.using import spend, verify
from tests.soak.work import CLOSED, Work, working

__all__ = ["ROLES"]

ROLES: dict[str, Callable[[Work], Awaitable[None]]] = {
    "mint-1": mint,
    "mint-2": mint,
    "spend-1": spend,
    "spend-2": spend,
    "verify": verify,
    "revoke": revoke,
    "keys": turn_keys,
    "refresh": refresh,
}


def look_after(url: str, directory: Path) -> int:
    """Keep one process for each role until all are done; the exit code."""
    lives = dict.fromkeys(ROLES, 0)
    alive = {_start(url, directory, role, 0): role for role in ROLES}
    while alive:
        pid, status = os.waitpid(-1, 0)
        role = alive.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            lives[role] += 1
            alive[_start(url, directory, role, lives[role])] = role
        elif code:
            for other in alive:
                os.kill(other, signal.SIGKILL)
            return 1
        elif not any(role.startswith("mint") for role in alive.values()):
            (directory / CLOSED).touch()
    return 0


def _start(url: str, directory: Path, role: str, life: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        (directory / f"{role}.pid").write_text(f"{pid} {life}")
        return pid
    code = 1
    try:
        anyio.run(_work, parent, url, directory, role, life)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


async def _work(parent: int, url: str, directory: Path, role: str, life: int) -> None:
    async def leave_with_parent() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.5)
        os._exit(1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave_with_parent)
        async with working(url, directory, role, life) as work:
            await ROLES[role](work)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    sys.exit(look_after(sys.argv[1], Path(sys.argv[2])))
