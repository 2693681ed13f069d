"""A page of the documentation: its text, and what its code defines and does."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Page"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class Page:
    """A page, by its path below `docs` or its name alone, without the suffix; `README` is that of the repository."""

    def __init__(self, name: str) -> None:
        path = ROOT / "README.md" if name == "README" else DOCS / f"{name}.md"
        (self.path,) = [path] if path.exists() else DOCS.rglob(f"{name}.md")
        self.text = self.path.read_text(encoding="utf-8")

    def blocks(self, language: str = "python") -> list[str]:
        """The code on it, in order."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def names(self, **given: Any) -> dict[str, Any]:
        """What all its blocks define, run in their order as one module."""
        names: dict[str, Any] = {"__name__": "page", **given}
        for block in self.blocks():
            exec(block, names)  # noqa: S102 - the page is ours
        return names

    def shell(self, directory: Path, *, after_each: str = "", **environment: str) -> str:
        """What all its shell blocks print, run in their order in one shell; each must succeed.

        Args:
            directory: Where, and the user's home; `mintkey` is a command there.
            after_each: Run after every block.
            environment: What the shell knows besides.
        """
        commands = directory / "bin"
        commands.mkdir()
        (commands / "mintkey").write_text(f'#!/bin/sh\nexec {sys.executable} -m mintkey "$@"\n', encoding="utf-8")
        (commands / "mintkey").chmod(0o755)
        path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", "set -eu\n" + "".join(block + after_each for block in self.blocks("sh"))],
            env={"PATH": path, "HOME": str(directory), **environment},
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def section(self, heading: str) -> str:
        """The text below a heading, up to the next one."""
        return self.text.partition(f"## {heading}\n")[2].partition("\n## ")[0]

    def rows(self, heading: str) -> list[list[str]]:
        """The rows of all tables below a heading, without their heads; a cell each, stripped."""
        lines = self.section(heading).splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return [row for row in rows if not set(row[0]) <= set("-: ")]
