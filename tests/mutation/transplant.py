"""Putting a mutant's code into functions that live: in a fork of a process that has imported and collected everything.

What ran while the package was imported has left its result in the module; a defect in it needs an import of its own, as
does one that is not within a function.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

__all__ = ["TOOL", "Key", "LiveFunctions", "called", "codes_in", "key_of", "monitoring"]

Key = tuple[str, int, str]
TOOL = 4
monitoring: Any = getattr(sys, "monitoring", None)  # from Python 3.12 on


def key_of(code: CodeType) -> Key:
    """What tells a function's code from every other."""
    return code.co_filename, code.co_firstlineno, code.co_qualname


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """A code, and all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


@contextmanager
def called(prefix: str) -> Iterator[set[Key]]:
    """Collects whatever is called within the block, of files below a directory."""
    found: set[Key] = set()

    def note(code: CodeType, _offset: int) -> object:
        if code.co_filename.startswith(prefix):
            found.add(key_of(code))
        return monitoring.DISABLE

    events = monitoring.events
    monitoring.use_tool_id(TOOL, "mutation")
    monitoring.register_callback(TOOL, events.PY_START, note)
    monitoring.set_events(TOOL, events.PY_START)
    try:
        yield found
    finally:
        monitoring.set_events(TOOL, events.NO_EVENTS)
        monitoring.register_callback(TOOL, events.PY_START, None)
        monitoring.free_tool_id(TOOL)


class LiveFunctions:
    """Every function of some files that exists now.

    Args:
        files: The files.
    """

    def __init__(self, files: Sequence[str]) -> None:
        wanted = frozenset(files)
        self._functions: dict[Key, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename in wanted:
                self._functions.setdefault(key_of(thing.__code__), []).append(thing)

    def codes(self) -> Iterator[CodeType]:
        """The codes of all, with what is defined in them."""
        for functions in self._functions.values():
            for code in {function.__code__ for function in functions}:
                yield from codes_in(code)

    def changed(self, module: CodeType, mutant: CodeType) -> list[tuple[FunctionType, CodeType]] | None:
        """Which functions get which code; nothing, if that is not all that differs.

        Args:
            module: The module's code as it is.
            mutant: The same with a defect.
        """
        found: list[tuple[FunctionType, CodeType]] = []
        before, after = list(_functions_in(module)), list(_functions_in(mutant))
        if [key_of(code) for code in before] != [key_of(code) for code in after]:
            return None
        for old, new in zip(before, after, strict=True):
            if old != new:
                functions = self._functions.get(key_of(old), [])
                if not functions or old.co_freevars != new.co_freevars:
                    return None
                found += [(function, new) for function in functions]
                found += self._closures(old, new)
        return found or None

    def _closures(self, old: CodeType, new: CodeType) -> Iterator[tuple[FunctionType, CodeType]]:
        """What the function made before it was changed: tests that prepare something have it already."""
        before, after = list(codes_in(old))[1:], list(codes_in(new))[1:]
        for was, becomes in zip(before, after, strict=False):
            if was != becomes and key_of(was) == key_of(becomes) and was.co_freevars == becomes.co_freevars:
                yield from ((function, becomes) for function in self._functions.get(key_of(was), ()))


def _functions_in(code: CodeType) -> Iterator[CodeType]:
    """The functions and methods that a module defines; what a function defines is part of it."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            is_class = not constant.co_flags & 0x02  # CO_NEWLOCALS
            yield from _functions_in(constant) if is_class else [constant]
