"""The hunter itself: the defects it makes, that they arrive in functions that live, and that every survivor exists."""

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.explained import explained
from tests.mutation.hunt import in_fork
from tests.mutation.mutants import Module
from tests.mutation.rooms import ROOMS
from tests.mutation.transplant import LiveFunctions

SAMPLE = '''
"""A module."""

LIMIT = 3
__all__ = ["holds"]


def holds(number: int, *, most: int = LIMIT) -> bool:
    """Whether it is small."""
    message = "a sentence that nobody checks"
    try:
        if number < most and number != 7:
            return number + 1 < most
    except (TypeError, ValueError):
        raise
    finally:
        del message
    return False
'''

EXPECTED = {
    "module: 3 → 4",
    "holds: number < most and number != 7 → number < most or number != 7",
    "holds: number < most and number != 7 → number < most",
    "holds: number < most and number != 7 → number != 7",
    "holds: number < most → number <= most",
    "holds: number < most → number >= most",
    "holds: number != 7 → number == 7",
    "holds: 7 → 8",
    "holds: return number + 1 < most → return None",
    "holds: number + 1 < most → number + 1 <= most",
    "holds: number + 1 < most → number + 1 >= most",
    "holds: number + 1 → number - 1",
    "holds: 1 → 2",
    "holds: except (TypeError, ValueError): → except (ValueError,):",
    "holds: except (TypeError, ValueError): → except (TypeError,):",
    "holds: raise → pass",
    "holds: finally → pass",
    "holds: del message → pass",
    "holds: False → True",
}


@pytest.fixture
def sample(tmp_path: Path) -> Module:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE, "utf-8")
    return Module("sample", path)


def load(sample: Module) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample", sample.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_small_defect_is_made_once_and_nothing_is_changed_that_does_nothing(sample: Module) -> None:
    names = [mutant.name.removeprefix("sample:") for mutant in sample.mutants]
    assert len(set(names)) == len(names)
    assert set(names) == EXPECTED


def test_a_mutant_differs_in_its_own_place_only_and_the_module_stays_as_it_is(sample: Module) -> None:
    before = ast.dump(ast.parse(SAMPLE))
    codes = {sample.compile_mutant(mutant).co_consts for mutant in sample.mutants}
    assert len(codes) == len(sample.mutants)
    assert ast.dump(sample._tree) == before


def test_a_defect_arrives_in_the_function_that_lives(sample: Module) -> None:
    module = load(sample)
    live = LiveFunctions([str(sample.path)])
    (mutant,) = [mutant for mutant in sample.mutants if mutant.after == "number != 7"]
    changed = live.changed(sample.compile(), sample.compile_mutant(mutant))
    assert changed is not None
    assert not module.holds(9, most=3)
    for function, code in changed:
        function.__code__ = code
    assert module.holds(2, most=4)
    assert module.holds.__code__ is changed[0][1]


def test_what_is_not_in_a_function_is_left_to_an_import_of_its_own(sample: Module) -> None:
    load(sample)
    live = LiveFunctions([str(sample.path)])
    (mutant,) = [mutant for mutant in sample.mutants if not mutant.in_function]
    assert mutant.name == "sample:module: 3 → 4"
    assert live.changed(sample.compile(), sample.compile_mutant(mutant)) is None


@pytest.mark.parametrize(
    ("lines", "became"),
    [
        (["began a", "began b"], ("survived", None, 2)),
        (["began a", "began b", "killed b"], ("killed", "b", 2)),
        (["killed import"], ("killed", "import", 0)),
    ],
    ids=["nobody noticed", "a test noticed", "it cannot be imported"],
)
def test_a_fork_tells_what_became_of_it(lines: list[str], became: tuple[str, str | None, int]) -> None:
    def act(write: Callable[[str], None]) -> None:
        for line in lines:
            write(line)

    assert in_fork(act) == became


def test_a_fork_that_dies_was_stopped_by_its_own_defect() -> None:
    def die(write: object) -> None:
        raise SystemExit

    assert in_fork(die)[0] == "timeout"


def test_every_explained_survivor_is_of_a_function_of_today() -> None:
    """The hunt itself tells which lines are out of date."""
    functions = {
        f"{mutant.module}:{mutant.function}"
        for room in ROOMS.values()
        for name, path in room.files().items()
        for mutant in Module(name, path).mutants
    }
    assert {name.partition(": ")[0] for name in explained()} <= functions
    assert all(explained().values())
