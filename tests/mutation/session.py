"""A pytest session that runs no tests, but hunts mutants with them: collected once, forked for each mutant."""

import gc
import hashlib
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.coverage import Coverage, measure
from tests.mutation.hunt import Suspects, in_fork, run
from tests.mutation.mutants import Module, Mutant
from tests.mutation.results import Result, Results
from tests.mutation.rooms import SOURCE, Room
from tests.mutation.transplant import Key, LiveFunctions, key_of
from tests.support.servers import RedisServer

__all__ = ["OneServer", "WarmHunt", "collect"]

_BATCH = 60
"""After so many mutants the tests that killed are asked whether they pass without one."""


def collect(room: Room, *plugins: object, tests: Sequence[str] = ()) -> int:
    """Start pytest with a room's tests; the plugins decide what it does with them."""
    ours = ["-W", "ignore::pytest.PytestAssertRewriteWarning", "--capture=sys"]
    without = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:terminalreporter"]
    return int(pytest.main([*ours, *without, "-k", room.keywords, *(tests or room.tests)], [QuickExamples(), *plugins]))


class QuickExamples:
    """Lets generated examples be the same every time, and not be made smaller: that something fails is enough."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings.default, derandomize=True, database=None, phases=phases)
        settings.load_profile("mutants")


class OneServer:
    """Lets all tests have the one server that runs already: a fork would start, and leave, one of its own.

    Args:
        server: That one.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> RedisServer | None:
        if fixturedef.argname != "valkey_session":
            return None
        fixturedef.cached_result = self._server, fixturedef.cache_key(request), None
        return self._server


class WarmHunt:
    """Hunts the mutants whose code can be put into living functions.

    Args:
        room: Where.
        modules: Its modules.
        mutants: Those to try out.
        results: Where they are written.
        imported: What ran while the package was imported.
        coverage: The file that keeps who runs what.
        budget: Seconds of tests a mutant.
        tell: For progress.
    """

    def __init__(
        self,
        room: Room,
        modules: dict[str, Module],
        mutants: Sequence[Mutant],
        results: Results,
        *,
        imported: set[Key],
        coverage: Path,
        budget: float,
        tell: Callable[[str], None],
    ) -> None:
        self._room = room
        self._modules = modules
        self._mutants = mutants
        self._results = results
        self._imported = imported
        self._path = coverage
        self._budget = budget
        self._tell = tell
        self._items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise RuntimeError("the tests cannot be collected")
        live = LiveFunctions([str(module.path) for module in self._modules.values()])
        self._items = {item.nodeid: item for item in session.items}
        gc.collect()
        gc.freeze()
        coverage = self._coverage(session.items, live)
        self._hunt(live, Suspects(self._items, coverage, self._room.likely, budget=self._budget))
        return True

    def _hunt(self, live: LiveFunctions, suspects: Suspects) -> None:
        codes = {name: module.compile() for name, module in self._modules.items()}
        done: list[Result] = []
        for count, mutant in enumerate(self._mutants, 1):
            if not mutant.in_function:
                continue
            module = self._modules[mutant.module]
            changed = live.changed(codes[mutant.module], module.compile_mutant(mutant))
            if changed is None or any(key_of(new) in self._imported for _, new in changed):
                continue  # it is left to a cold hunt
            result = self._try(mutant, changed, suspects)
            done.append(result)
            if not result.is_killed:
                self._tell(f"survived {result.tests}: {mutant.line} {mutant.name}")
            if len(done) == _BATCH:
                self._keep(done, suspects)
                done.clear()
                self._tell(f"{count} of {len(self._mutants)} looked at")
        self._keep(done, suspects)

    def _try(self, mutant: Mutant, changed: Sequence[tuple[FunctionType, CodeType]], suspects: Suspects) -> Result:
        chosen, total = suspects.of(mutant, str(self._modules[mutant.module].path))
        began_at = time.perf_counter()

        def act(write: Callable[[str], None]) -> None:
            for function, code in changed:
                function.__code__ = code
            run([self._items[test] for test in chosen], suspects.coverage, write)

        status, by, ran = in_fork(act) if chosen else ("survived", None, 0)
        suspects.noticed(mutant, by)
        seconds = time.perf_counter() - began_at
        return Result(mutant.name, mutant.line, mutant.operator, status, by, (ran, total), seconds)

    def _keep(self, results: Sequence[Result], suspects: Suspects) -> None:
        """Believe who killed only if he passes without a mutant."""
        liars = set()
        for test in sorted({result.by for result in results if result.by}):

            def act(write: Callable[[str], None], item: pytest.Item = self._items[test]) -> None:
                run([item], suspects.coverage, write)

            if in_fork(act)[0] != "survived":
                liars.add(test)
        for test in liars:
            self._tell(f"fails without a mutant: {test}")
        suspects.distrust(liars)
        self._results.add(*(result for result in results if result.by not in liars))

    def _coverage(self, items: Sequence[pytest.Item], live: LiveFunctions) -> Coverage:
        """Who runs what: measured anew when anything has changed."""
        digest = hashlib.sha256(repr(sorted(item.nodeid for item in items)).encode())
        for path in sorted([*SOURCE.rglob("*.py"), *Path("tests").rglob("*.py")]):
            if "mutation" not in path.parts:
                digest.update(path.read_bytes())
        if self._path.exists():
            kept, found = pickle.loads(self._path.read_bytes())  # noqa: S301 - our own
            if kept == digest.digest():
                return found  # type: ignore[no-any-return]  # it was pickled as one
        self._tell(f"measuring {len(items)} tests")
        coverage = measure(items, live.codes())
        self._path.write_bytes(pickle.dumps((digest.digest(), coverage)))
        self._tell(f"measured in {sum(coverage.seconds.values()):.0f} s; failed: {sorted(coverage.failed)}")
        return coverage
