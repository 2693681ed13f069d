"""The examples of the reference: where they are, and how one in a fence is run."""

import ast
import builtins
import importlib
import inspect
import re
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from types import ModuleType
from typing import Any

from tests.docs.page import DOCS

__all__ = ["API", "DOCUMENTED", "Example", "documentation", "examples"]

API = sorted((DOCS / "reference" / "api").glob("*.md"))

_ROOM = re.compile(r"^```\{room\} (\S+)\n(?::.*\n)*([^`]*)^```$", re.MULTILINE)
_FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DOCUMENTED = [
    (module, name.removesuffix("()"))
    for path in API
    for module, names in _ROOM.findall(path.read_text(encoding="utf-8"))
    for name in names.split()
]
"""Modules and their public names, in the order of the pages."""


@dataclass(frozen=True)
class Example:
    """One example in a fence.

    Attributes:
        name: The public name that it belongs to, perhaps with a member of it.
        source: The code.
    """

    name: str
    source: str

    @property
    def _function(self) -> str:
        """It may await, and return."""
        return f"async def example():\n{indent(self.source, '    ')}"

    def missing(self, names: Mapping[str, Any]) -> set[str]:
        """What it uses, whenever it runs, that is neither there nor made by it."""
        used = _free(symtable.symtable(self._function, self.name, "exec"))
        return {name for name in used if name not in names and not hasattr(builtins, name)}

    async def run(self, names: Mapping[str, Any], *, with_other_addresses: Mapping[str, str]) -> None:
        """Run it.

        Args:
            names: What it uses.
            with_other_addresses: What to write in place of the addresses that are in it.
        """
        source = self._function
        for theirs, ours in with_other_addresses.items():
            source = source.replace(theirs, ours)
        defined = dict(names)
        exec(source, defined)  # noqa: S102 - the code is ours
        await defined["example"]()


def _free(table: symtable.SymbolTable) -> set[str]:
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    for child in table.get_children():
        found |= _free(child)
    return found


def documentation(module: str, name: str) -> dict[str, str]:
    """The docstring of a public name behind an empty key, and those of its public members."""
    value = getattr(importlib.import_module(module), name)
    defined = value.__module__ if inspect.isclass(value) or inspect.isroutine(value) else module
    return _documentation(importlib.import_module(defined), name)


def _documentation(module: ModuleType, name: str) -> dict[str, str]:
    tree = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
    for node, follower in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.ClassDef() if node.name == name:
                members = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
                return {"": _text(node), **{each.name: _text(each) for each in members if each.name[0] != "_"}}
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                return {"": _text(node)}
            case ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)) if found == name:
                match follower:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        return {"": inspect.cleandoc(text)}
                    case _:
                        return {"": ""}
            case ast.ImportFrom(module=str(elsewhere)) if name in {alias.name for alias in node.names}:
                return _documentation(importlib.import_module(elsewhere), name)
            case _:
                pass
    raise LookupError(f"{module.__name__} does not define {name}")


def _text(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(node) or ""


def examples() -> Iterator[Example]:
    """All that are in fences."""
    for module, name in DOCUMENTED:
        for member, text in documentation(module, name).items():
            _, _, section = text.partition("Example:\n")
            for source in _FENCE.findall(dedent(section)):
                yield Example(".".join(filter(None, (module, name, member))), source)
