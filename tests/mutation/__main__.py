"""`python -m tests.mutation`: puts small defects into the source, one at a time, and sees whether a test notices.

What became of each is kept in a file, so that a run that was ended goes on where it was. `--again` tries those that
survived once more, `--show` tells of them. What is in `survivors.md` may survive; anything else is an error.
"""

# ruff: noqa: T201 - this is a command

import argparse
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.explained import explained
from tests.mutation.mutants import Module, Mutant
from tests.mutation.results import Results
from tests.mutation.rooms import ROOMS, SOURCE
from tests.mutation.transplant import called
from tests.support.servers import RedisServer, running

# What tests import of others: once, for all forks.
_HEAVY = (
    "pytest hypothesis anyio redis.asyncio sqlalchemy.ext.asyncio aiosqlite asyncpg httpx2 joserfc.jws jwcrypto.jwk"
)


def main() -> int:
    """What the command line asks for; 1 if a mutant survived that nobody explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=f"of {', '.join(ROOMS)} (default: all)")
    parser.add_argument("--work", type=Path, default=Path(".mutants"), help="where results are kept (default .mutants)")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of tests that a mutant is worth (10)")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--again", action="store_true", help="try those that survived once more")
    parser.add_argument("--cold", choices=["too", "only", "not"], default="too", help="what needs an import of its own")
    parser.add_argument("--show", action="store_true", help="try nothing, tell what survived")
    options = parser.parse_args()
    results = Results(options.work / "results.jsonl")
    for name in () if options.show else options.rooms:
        Hunter(name, results, options).hunt()
    return _report(options.rooms, results, tells_all=options.show)


@dataclass(frozen=True)
class Hunter:
    """Hunts the mutants of one room.

    Attributes:
        name: The room's name.
        results: Where it is written what became of them.
        options: What the command line says.
    """

    name: str
    results: Results
    options: argparse.Namespace

    def hunt(self) -> None:
        """Try out what was not tried yet: first what can be put into living functions, then what cannot."""
        modules = _modules(self.name)
        due = [mutant for mutant in _mutants(modules) if self.options.only in mutant.name and self._is_due(mutant)]
        _tell(f"{self.name}: {len(due)} mutants to try")
        if not due:
            return
        for package in _HEAVY.split():
            importlib.import_module(package)
        with running("valkey") as server:
            # In a fork: what comes after it must not find the package imported. It measures who runs what for both.
            warm = [] if self.options.cold == "only" else due
            _in_fork(lambda: self._warm(modules, warm, server))
            self.results.reload()
            if self.options.cold != "not":
                self._cold(modules, [mutant for mutant in due if self._is_left(mutant)], server)

    def _is_due(self, mutant: Mutant) -> bool:
        known = self.results.all.get(mutant.name)
        return known is None or (self.options.again and not known.is_killed)

    def _is_left(self, mutant: Mutant) -> bool:
        return self._is_due(mutant) and (mutant.name not in self.results.all or not mutant.in_function)

    @property
    def _coverage(self) -> Path:
        path: Path = self.options.work / f"coverage-{self.name}.pickle"
        return path

    def _warm(self, modules: dict[str, Module], mutants: Sequence[Mutant], server: RedisServer) -> None:
        with called(str(SOURCE)) as imported:
            for module in modules:
                importlib.import_module(module.removesuffix(".__init__"))
        from tests.mutation.session import OneServer, WarmHunt, collect

        room, budget = ROOMS[self.name], self.options.budget
        hunt = WarmHunt(
            *(room, modules, mutants, self.results),
            imported=imported,
            coverage=self._coverage,
            budget=budget,
            tell=_tell,
        )
        collect(room, OneServer(server), hunt)

    def _cold(self, modules: dict[str, Module], mutants: Sequence[Mutant], server: RedisServer) -> None:
        from tests.mutation.cold import ColdHunt

        room, budget = ROOMS[self.name], self.options.budget
        hunt = ColdHunt(
            *(room, modules, self.results), server=server, coverage=self._coverage, budget=budget, tell=_tell
        )
        hunt.run(mutants)


def _modules(room: str) -> dict[str, Module]:
    return {name: Module(name, path) for name, path in ROOMS[room].files().items()}


def _mutants(modules: dict[str, Module]) -> list[Mutant]:
    return [mutant for module in modules.values() for mutant in module.mutants]


def _in_fork(act: Callable[[], None]) -> None:
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:  # noqa: BLE001 - a fork goes no further
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _report(rooms: Sequence[str], results: Results, *, tells_all: bool) -> int:
    reasons, is_open = explained(), False
    for room in rooms:
        modules = _modules(room)
        mutants = _mutants(modules)
        counts = results.counts(mutant.name for mutant in mutants)
        killed, tried = counts["killed"] + counts["timeout"], counts.total() - counts["not run"]
        share = f"{100 * killed / tried:.1f} %" if tried else "-"
        print(f"{room}: {len(mutants)} mutants, {killed} killed ({share}), {dict(counts)}")
        for mutant in mutants:
            result = results.all.get(mutant.name)
            if result is not None and not result.is_killed and (tells_all or mutant.name not in reasons):
                is_open |= mutant.name not in reasons
                print(f"  {mutant.line}: {mutant.name}  {result.tests} {reasons.get(mutant.name, 'NOT EXPLAINED')}")
        names = {mutant.name for mutant in mutants}
        for name in reasons:
            if name.partition(":")[0] in modules and name not in names:
                print(f"  {name}: no mutant of today, and needs no explanation")
    return int(is_open)


if __name__ == "__main__":
    sys.exit(main())
