"""A page of the documentation: its text, and what its code defines."""

import re
from pathlib import Path
from typing import Any

__all__ = ["Page"]

DOCS = Path(__file__).parents[2] / "docs"


class Page:
    """A page, by its name without the suffix."""

    def __init__(self, name: str) -> None:
        self.text = (DOCS / f"{name}.md").read_text(encoding="utf-8")

    def blocks(self, language: str = "python") -> list[str]:
        """The code on it, in order."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def names(self, **given: Any) -> dict[str, Any]:
        """What all its blocks define, run in their order as one module."""
        names: dict[str, Any] = {"__name__": "page", **given}
        for block in self.blocks():
            exec(block, names)  # noqa: S102 - the page is ours
        return names

    def section(self, heading: str) -> str:
        """The text below a heading, up to the next one."""
        return self.text.partition(f"## {heading}\n")[2].partition("\n## ")[0]

    def rows(self, heading: str) -> list[list[str]]:
        """The rows of all tables below a heading, without their heads; a cell each, stripped."""
        lines = self.section(heading).splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return [row for row in rows if not set(row[0]) <= set("-: ")]
