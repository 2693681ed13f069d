"""All mutants of one module: where, what stands there, what the defect puts there, and the code that results."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from tests.mutation.operators import DECLARATIONS, OPERATORS

__all__ = ["Module", "Mutant"]

_NEVER_CALLED = frozenset({"cast", "TypeVar", "TypeVarTuple", "ParamSpec", "NewType"})
_NOT_BEHAVIOUR = frozenset({"__all__", "__slots__"})
_MEMBER = re.compile(r"[A-Z][A-Z0-9_]*")
# What a Lua script may get wrong. Each is changed wherever it occurs.
_LUA = [
    *[("==", "~="), ("~=", "=="), (" and ", " or "), (" or ", " and "), ("not ", ""), ("math.max", "math.min")],
    *[(" > ", " <= "), (" < ", " >= "), ("'NX'", "'XX'"), ("'PX'", "'EX'"), ("return 1", "return 0")],
    *[("return 0", "return 1"), ("return -1", "return 0"), ("ARGV[1]", "ARGV[2]"), ("ARGV[2]", "ARGV[1]")],
    *[("'s'", "'r'"), ("'r'", "'s'"), ("'x'", "'s'"), ("'+'", "'-'"), ("'DEL'", "'GET'"), ("ARGV[3]", "ARGV[2]")],
]


class _Place(NamedTuple):
    parent: ast.AST
    field: str
    position: int | None


@dataclass(frozen=True)
class Mutant:
    """One defect."""

    module: str
    function: str
    line: int
    lines: range
    """Where the statement is that has it: who runs one of these lines may notice."""
    operator: str
    before: str
    after: str
    count: int
    """How often the same was found before within the function."""
    in_function: bool
    place: _Place
    node: ast.AST

    @property
    def name(self) -> str:
        """The same as long as the function does not change where the defect is, whatever is written around it."""
        again = f" #{self.count + 1}" if self.count else ""
        return f"{self.module}:{self.function}: {self.before} → {self.after}{again}"


class Module:
    """One module's source, and what may be wrong with it.

    Args:
        name: Its dotted name.
        path: Its file.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._tree = ast.parse(path.read_bytes(), str(path))
        self._members = _members(self._tree)
        self.mutants = list(self._found())

    def compile(self) -> CodeType:
        """The module as it is."""
        code: CodeType = compile(self._tree, str(self.path), "exec", dont_inherit=True)
        return code

    def compile_mutant(self, mutant: Mutant) -> CodeType:
        """The module with one defect."""
        with _put(mutant.place, mutant.node):
            return self.compile()

    def _found(self) -> Iterator[Mutant]:
        seen: Counter[tuple[str, str, str]] = Counter()
        for place, node, function, statement in _walk(self._tree):
            for operator, changed in self._changes(node):
                ast.copy_location(changed, node)
                ast.fix_missing_locations(changed)
                before, after = _difference(node, changed)
                key = function, before, after
                line: int = getattr(node, "lineno", statement.lineno)
                yield Mutant(
                    *(self.name, function or "module", line, _lines(statement), operator, before, after, seen[key]),
                    *(bool(function) and not function.endswith("}"), place, changed),
                )
                seen[key] += 1

    def _changes(self, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
        for operator in OPERATORS:
            yield from operator(node)
        match node:
            case ast.Attribute(value=ast.Name(id=enum), attr=member) if member in self._members.get(enum, ()):
                members = self._members[enum]
                other = members[(members.index(member) + 1) % len(members)]
                if other != member:
                    yield "member", ast.Attribute(node.value, other, ast.Load())
            case ast.Constant(value=str() as script) if "redis.call" in script:
                for old, new in _LUA:
                    for found in re.finditer(re.escape(old), script):
                        yield "script", ast.Constant(script[: found.start()] + new + script[found.end() :])
            case _:
                pass


def _members(tree: ast.AST) -> dict[str, list[str]]:
    """Which members of which enumeration a module speaks of: one may stand where another should."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=enum), attr=member) if enum[0].isupper() and _MEMBER.fullmatch(member):
                found.setdefault(enum, set()).add(member)
            case _:
                pass
    return {enum: sorted(members) for enum, members in found.items()}


def _walk(tree: ast.Module) -> Iterator[tuple[_Place, ast.AST, str, ast.stmt]]:
    """Every node that may be wrong, with the function that it is part of: a name in braces is what defines it."""

    def visit(parent: ast.AST, function: str, scope: str, statement: ast.stmt) -> Iterator[Any]:
        for field, value in ast.iter_fields(parent):
            if _is_left_alone(parent, field):
                continue
            within, inside = function, scope
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{scope}.{parent.name}" if scope else parent.name
                is_body = field == "body" and not isinstance(parent, ast.ClassDef)
                within = inside if is_body else f"{{{inside}}}" if not function or function.endswith("}") else function
                inside = scope if field != "body" else inside
            children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, child in children:
                if isinstance(child, ast.AST) and not _is_declaration(child):
                    here = child if isinstance(child, ast.stmt) else statement
                    yield _Place(parent, field, index), child, within, here
                    yield from visit(child, within, inside, here)

    yield from visit(tree, "", "", ast.Pass(lineno=1, end_lineno=1))


def _is_left_alone(parent: ast.AST, field: str) -> bool:
    match parent:
        case ast.Call(func=ast.Name(id=name)) if name in _NEVER_CALLED:
            return True
        case ast.ClassDef():
            return field in {"bases", "keywords"}
        case ast.JoinedStr() | ast.FormattedValue():
            return field in {"format_spec", "conversion"}
        case _:
            return field in {"annotation", "returns", "ctx", "ops", "op"}


def _is_declaration(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) if name in _NOT_BEHAVIOUR:
            return True
        case ast.keyword(arg=name) if name in DECLARATIONS:
            return True
        case _:
            return False


def _lines(statement: ast.stmt) -> range:
    """The lines of a statement without those of the statements in it."""
    body = getattr(statement, "body", None)
    end = body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _difference(before: ast.AST, after: ast.AST) -> tuple[str, str]:
    """What is told of a change: of a script the line that changes, of a block its first line."""
    match before, after:
        case ast.Constant(value=str() as old), ast.Constant(value=str() as new) if "\n" in old:
            pairs = zip(old.splitlines(), new.splitlines(), strict=True)
            return next((a.strip(), b.strip()) for a, b in pairs if a != b)
        case ast.Try(), _:
            return "finally", "pass"
        case ast.If() | ast.While() | ast.With() | ast.AsyncWith() | ast.ExceptHandler(), _:
            return _header(before), _header(after)
        case _:
            return ast.unparse(before), ast.unparse(after)


def _header(node: ast.AST) -> str:
    shown = copy(node)
    if isinstance(shown, ast.If | ast.While | ast.With | ast.AsyncWith | ast.ExceptHandler):
        shown.body = [ast.Pass()]
    if isinstance(shown, ast.If | ast.While):
        shown.orelse = []
    return ast.unparse(ast.fix_missing_locations(shown)).splitlines()[0]


@contextmanager
def _put(place: _Place, node: ast.AST) -> Iterator[None]:
    if place.position is None:
        before = getattr(place.parent, place.field)
        setattr(place.parent, place.field, node)
    else:
        children = getattr(place.parent, place.field)
        before = children[place.position]
        children[place.position] = node
    try:
        yield
    finally:
        if place.position is None:
            setattr(place.parent, place.field, before)
        else:
            getattr(place.parent, place.field)[place.position] = before
