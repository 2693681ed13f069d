"""What may be wrong in a program: every small defect of these kinds, one at a time, in one module's source.

An operator looks at one node of the syntax tree and says what could stand there instead. Nothing is changed in what no
program asks for: annotations, docstrings, `__all__`, `__slots__`, what only type checkers are told, sentences in
messages (a string with a space in it).
"""

import ast
from collections.abc import Callable, Iterator
from copy import copy

__all__ = ["DECLARATIONS", "OPERATORS", "Change"]

Change = tuple[str, ast.AST]
"""An operator's name, and the node that it puts there."""

DECLARATIONS = frozenset({"slots", "kw_only", "stacklevel"})
"""Arguments that say how something may be used, and change nothing for who uses it so."""

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_RENAMED = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "startswith": "endswith",
    "endswith": "startswith",
    "floor": "ceil",
    "ceil": "floor",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
}


def comparisons(node: ast.AST) -> Iterator[Change]:
    """`<` becomes `<=` and `>=`, `==` becomes `!=`, `in` becomes `not in`."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _COMPARED[type(operator)]:
                changed = copy(node)
                changed.ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                yield "comparison", changed


def conditions(node: ast.AST) -> Iterator[Change]:
    """`a and b` becomes `a or b`, `a`, and `b`; `not a` becomes `a`; what decides alone is turned round."""
    if isinstance(node, ast.BoolOp):
        changed = copy(node)
        changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", changed
        for index in range(len(node.values)):
            left = [*node.values[:index], *node.values[index + 1 :]]
            yield "operand left out", left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", node.operand
    elif isinstance(node, ast.If | ast.While | ast.IfExp) and _decides_alone(node.test):
        changed_test = copy(node)
        changed_test.test = ast.UnaryOp(ast.Not(), node.test)
        yield "condition", changed_test
    elif isinstance(node, ast.comprehension):
        for index, test in enumerate(node.ifs):
            filtered = copy(node)
            filtered.ifs = [*node.ifs[:index], *node.ifs[index + 1 :]]
            yield "filter left out", filtered
            if _decides_alone(test):
                filtered = copy(node)
                filtered.ifs = [*node.ifs[:index], ast.UnaryOp(ast.Not(), test), *node.ifs[index + 1 :]]
                yield "filter", filtered


def _decides_alone(test: ast.expr) -> bool:
    inverted = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return not inverted and not isinstance(test, ast.Compare | ast.BoolOp)


def calculations(node: ast.AST) -> Iterator[Change]:
    """`+` becomes `-`, `<<` becomes `>>`, `-a` becomes `a`."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        changed = copy(node)
        changed.op = _CALCULATED[type(node.op)]()
        yield "calculation", changed
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand


def constants(node: ast.AST) -> Iterator[Change]:
    """Numbers grow by one, true becomes false, names in quotes become others."""
    if not isinstance(node, ast.Constant):
        return
    match node.value:
        case bool():
            yield "constant", ast.Constant(not node.value)
        case int() | float():
            yield "constant", ast.Constant(node.value + 1)
        case str() if not set(node.value) & set(" \n"):
            yield "constant", ast.Constant(f"XX{node.value}")
        case bytes():
            yield "constant", ast.Constant(b"XX" + node.value)
        case _:
            pass


def calls(node: ast.AST) -> Iterator[Change]:
    """A keyword argument is left out; `min` becomes `max`, `any` becomes `all`, `startswith` becomes `endswith`."""
    if not isinstance(node, ast.Call):
        return
    for index, keyword in enumerate(node.keywords):
        if keyword.arg in DECLARATIONS:
            continue
        changed = copy(node)
        changed.keywords = [*node.keywords[:index], *node.keywords[index + 1 :]]
        yield "argument left out", changed
    match node.func:
        case ast.Name(id=name) if name in _RENAMED:
            changed = copy(node)
            changed.func = ast.Name(_RENAMED[name], ast.Load())
            yield "function", changed
        case ast.Attribute(value=value, attr=name) if name in _RENAMED:
            changed = copy(node)
            changed.func = ast.Attribute(value, _RENAMED[name], ast.Load())
            yield "function", changed
        case _:
            pass


def statements(node: ast.AST) -> Iterator[Change]:
    """A statement is left out; a function gives nothing; a loop ends early or goes on."""
    match node:
        case ast.Expr(value=ast.Constant()):
            pass
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete() | ast.Assert():
            yield "statement left out", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement left out", ast.Pass()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "result", ast.Return(ast.Constant(None))
        case ast.Break():
            yield "loop", ast.Continue()
        case ast.Continue():
            yield "loop", ast.Break()
        case _:
            pass


def blocks(node: ast.AST) -> Iterator[Change]:
    """A context is not entered, an exception is not caught, `finally` does nothing."""
    match node:
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body) if not any(
            item.optional_vars for item in items
        ):
            yield "context left out", ast.If(ast.Constant(value=True), body, [])
        case ast.ExceptHandler(type=ast.Tuple(elts=elts)):
            for index in range(len(elts)):
                caught = copy(node)
                caught.type = ast.Tuple([*elts[:index], *elts[index + 1 :]], ast.Load())
                yield "exception not caught", caught
        case ast.ExceptHandler():
            caught = copy(node)
            caught.type = ast.Tuple([], ast.Load())
            yield "exception not caught", caught
        case ast.Try() if node.finalbody:
            changed = copy(node)
            changed.finalbody = [ast.Pass()]
            yield "finally left out", changed
        case _:
            pass


OPERATORS: tuple[Callable[[ast.AST], Iterator[Change]], ...] = (
    comparisons,
    conditions,
    calculations,
    constants,
    calls,
    statements,
    blocks,
)
