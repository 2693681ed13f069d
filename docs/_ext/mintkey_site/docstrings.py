"""Docstrings are Markdown with Google's sections, as people read them in editors; autodoc wants reStructuredText."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.python import PyFunction
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer

__all__ = ["setup", "to_restructured_text"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)(?=(\w?))")

_GOOGLE: Any = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
_OF_ONE_VALUE = frozenset({"attribute", "data", "property"})


def setup(app: Sphinx) -> None:
    """Load it."""
    app.connect("autodoc-process-docstring", _convert)
    for group in PyFunction.doc_field_types:  # the same list for all objects of Python
        if group.name == "variable":
            group.label = "Attributes"  # what people call them


def _convert(  # noqa: PLR0917 - how Sphinx calls it
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    if what == "data":
        lines[:0] = _said_elsewhere(name, value)
    # Of a single value it would read the first line as "type: description", and no sections.
    kind: Any = "function" if what in _OF_ONE_VALUE else what
    sections = GoogleDocstring(to_restructured_text(lines), _GOOGLE, app, kind, name, value, options)
    lines[:] = [*sections.lines(), ""]


def _said_elsewhere(name: str, value: object) -> list[str]:
    """What is said of a constant in the module that defines it, if that is another one than offers it."""
    offered, _, short = name.rpartition(".")
    for module in [module for each, module in sys.modules.items() if each.startswith("mintkey.")]:
        if module.__name__ != offered and vars(module).get(short) is value:
            said = ModuleAnalyzer.for_module(module.__name__).find_attr_docs().get(("", short))
            if said is not None:
                return said
    return []


def to_restructured_text(lines: list[str], /) -> list[str]:
    """The lines of a docstring with its fences, tables and code spans in the other notation.

    Args:
        lines: In Markdown.
    """
    return list(_blocks(lines))


def _blocks(lines: list[str]) -> Iterator[str]:
    """Fences and tables as directives, and text with its code spans; doctests as they are."""
    rest = iter([*lines, ""])
    text: list[str] = []
    for line in rest:
        fence = _FENCE.match(line)
        is_table = line.lstrip().startswith("|")
        is_doctest = line.lstrip().startswith(">>>")
        if not (fence or is_table or is_doctest):
            text.append(line)
            continue
        yield from _spans(text)
        text = []
        if fence:
            yield from ["", f"{fence['indent']}.. code-block:: {fence['language'] or 'text'}", ""]
            for inner in rest:
                if inner.strip() == "```":
                    break
                yield f"   {inner}"
            yield ""
        elif is_table:
            yield from _table([line, *_until_blank(rest)])
        else:
            yield from [line, *_until_blank(rest), ""]
    yield from _spans(text)


def _until_blank(rest: Iterator[str]) -> Iterator[str]:
    for line in rest:
        if not line.strip():
            return
        yield line


def _spans(lines: list[str]) -> list[str]:
    return _CODE.sub(lambda found: f"``{found[1]}``" + ("\\ " if found[2] else ""), "\n".join(lines)).split("\n")


def _table(lines: list[str]) -> Iterator[str]:
    indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    yield from ["", f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in (rows[0], *rows[2:]):
        for mark, cell in zip(["* -", *["  -"] * len(row)], row, strict=False):
            yield f"{indent}   {mark} {_spans([cell])[0]}"
    yield ""
