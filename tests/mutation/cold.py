"""Mutants that need an import of their own: what a module defines at its top, defaults, what runs while it is imported.

The fork imports the package with the one module changed, collects the tests, and runs them.
"""

import importlib
import importlib.abc
import importlib.util
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutation.coverage import Coverage
from tests.mutation.hunt import Suspects, in_fork, run
from tests.mutation.mutants import Module, Mutant
from tests.mutation.results import Result, Results
from tests.mutation.rooms import Room
from tests.mutation.session import OneServer, collect
from tests.support.servers import RedisServer

__all__ = ["ColdHunt"]


class ColdHunt:
    """Hunts the mutants that a warm hunt left.

    Args:
        room: Where.
        modules: Its modules.
        results: Where they are written.
        server: For tests over Redis.
        coverage: The file in which the warm hunt keeps who runs what.
        budget: Seconds of tests a mutant.
        tell: For progress.
    """

    def __init__(
        self,
        room: Room,
        modules: dict[str, Module],
        results: Results,
        *,
        server: RedisServer,
        coverage: Path,
        budget: float,
        tell: Callable[[str], None],
    ) -> None:
        self._room = room
        self._modules = modules
        self._results = results
        self._server = server
        self._coverage: Coverage = pickle.loads(coverage.read_bytes())[1]  # noqa: S301 - our own
        self._suspects = Suspects(self._coverage.seconds, self._coverage, room.likely, budget=budget)
        self._tell = tell
        self._believed: set[str] = set()

    def run(self, mutants: Sequence[Mutant]) -> None:
        """Try them out, one after the other."""
        for count, mutant in enumerate(mutants, 1):
            result = self._try(mutant)
            if result is not None:
                self._results.add(result)
                if not result.is_killed:
                    self._tell(f"survived {result.tests}: {mutant.line} {mutant.name}")
            if not count % 50:
                self._tell(f"{count} of {len(mutants)} looked at")

    def _try(self, mutant: Mutant) -> Result | None:
        module = self._modules[mutant.module]
        chosen, total = self._suspects.of(mutant, str(module.path))
        began_at = time.perf_counter()
        code = module.compile_mutant(mutant)
        ran, status = 0, "survived"
        by: str | None = None
        # Those in the same file as the first first: most need no other, and collecting is what takes time.
        first = chosen[0].partition("::")[0]
        for part in (
            [test for test in chosen if test.startswith(first)],
            [test for test in chosen if not test.startswith(first)],
        ):

            def act(write: Callable[[str], None], part: Sequence[str] = part) -> None:
                self._run(part, write, mutant.module, code)

            if part and status == "survived":
                status, by, more = in_fork(act)
                ran += more
        if by is not None and not self._is_believed(by):
            self._tell(f"fails without a mutant: {by}")
            self._suspects.distrust([by])
            return None
        self._suspects.noticed(mutant, by)
        seconds = time.perf_counter() - began_at
        return Result(mutant.name, mutant.line, mutant.operator, status, by, (ran, total), seconds)

    def _is_believed(self, test: str) -> bool:
        """Whether a test passes without a mutant."""
        if "::" in test and test not in self._believed:
            if in_fork(lambda write: self._run([test], write))[0] != "survived":
                return False
            self._believed.add(test)
        return True

    def _run(
        self, tests: Sequence[str], write: Callable[[str], None], module: str = "", code: CodeType | None = None
    ) -> None:
        chosen = _Chosen(tests, self._coverage, write)
        files = sorted({test.partition("::")[0] for test in tests})
        try:
            if code is not None:
                # Before pytest: it would import the package, which has a plugin, by its own importer.
                name = module.removesuffix(".__init__")
                sys.meta_path.insert(0, _Changed(name, self._modules[module].path, code))
                importlib.import_module(name)
            collect(self._room, OneServer(self._server), chosen, tests=files)
        except Exception:  # noqa: BLE001 - whatever it is, it shows
            write("killed import")
        if not chosen.have_run:
            write("killed import")


class _Chosen:
    """Runs some of the tests that were collected, and no other.

    Args:
        tests: Which, in this order.
        coverage: How long they take.
        write: Where to tell.
    """

    def __init__(self, tests: Sequence[str], coverage: Coverage, write: Callable[[str], None]) -> None:
        self._tests = tests
        self._coverage = coverage
        self._write = write
        self.have_run = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        if session.testsfailed or any(test not in items for test in self._tests):
            return True  # it shows in the import of tests, or in their names
        self.have_run = True
        run([items[test] for test in self._tests], self._coverage, self._write)
        return True


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a code that is given.

    Args:
        name: The module's dotted name.
        path: Its file.
        code: What runs as the module.
    """

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name = name
        self._path = path
        self._code = code

    def find_spec(self, fullname: str, _path: object, _target: ModuleType | None = None, /) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        is_package = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=self, submodule_search_locations=is_package
        )

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - the module itself, but for one defect
