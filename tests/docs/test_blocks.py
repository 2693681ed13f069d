"""Every block of code on every page is run by somebody.

A page says what its blocks are by their languages: `text` is output or a diagram, everything else runs. A module runs
them that makes a `Page` of it and asks for all blocks of that language: `names()` runs those in Python, `shell()` those
for a shell, and `blocks(language)` hands out any. Taking one of them by its number is not asking for all.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.page import DOCS, ROOT, Page

PATHS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGES = {str(path.relative_to(ROOT).with_suffix("")): path for path in PATHS}
FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$", re.MULTILINE)


def languages(text: str) -> list[str]:
    """Of every block, in order. What stands in braces is a directive, which the site runs."""
    openings = FENCE.findall(text)[::2]
    return [info.strip() for _, info in openings if not info.startswith("{")]


def test_a_block_of_no_language_is_not_overlooked():
    text = "```python\na\n```\n\n```\nb\n```\n```{room} mintkey\nc\n```\n  ```sh\n  d\n  ```\n"
    assert languages(text) == ["python", "", "sh"]


def picks(index: ast.expr) -> bool:
    return isinstance(index, ast.Slice) or (isinstance(index, ast.Constant) and isinstance(index.value, int))


CLAIMS = {"names": "python", "shell": "sh", "blocks": "python"}
"""The language of a method's blocks, if it is not told."""


def claims(source: str) -> Iterator[tuple[Path, str]]:
    """The pages of a module, and the languages of which it asks for all blocks."""
    tree = ast.parse(source)
    pages = {
        target.id: assignment.value
        for assignment in ast.walk(tree)
        if isinstance(assignment, ast.Assign)
        for target in assignment.targets
        if isinstance(target, ast.Name)
    }
    by_number = {node.value for node in ast.walk(tree) if isinstance(node, ast.Subscript) and picks(node.slice)}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr not in CLAIMS:
            continue
        page = call.func.value
        if isinstance(page, ast.Name):
            page = pages.get(page.id, page)
        match page:
            case ast.Call(func=ast.Name("Page"), args=[ast.Constant(str(name))]) if call not in by_number:
                told = call.func.attr == "blocks" and call.args
                yield Page(name).path, ast.literal_eval(call.args[0]) if told else CLAIMS[call.func.attr]
            case _:
                pass


def test_claims_are_found():
    source = """
PAGE = Page("sql")
PAGE.names()
first, second = PAGE.blocks("toml")
PAGE.blocks("json")[0]
Page("fleet").shell(path)
other.blocks("yaml")
"""
    sql, fleet = Page("sql").path, Page("fleet").path
    assert set(claims(source)) == {(sql, "python"), (sql, "toml"), (fleet, "sh")}


CLAIMED = {
    claim
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if "Page(" in (source := path.read_text(encoding="utf-8"))
    for claim in claims(source)
}


@pytest.mark.parametrize("name", list(PAGES), ids=str)
def test_every_block_of_a_page_is_run(name):
    path = PAGES[name]
    left = [
        language
        for language in languages(path.read_text(encoding="utf-8"))
        if language != "text" and (path, language) not in CLAIMED
    ]
    assert left == []
