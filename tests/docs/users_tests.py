"""Tests that a page shows its readers, run as a reader runs them: in one file, by a pytest of their own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["run_tests"]


def run_tests(directory: Path, blocks: Sequence[str], *changes: tuple[str, str]) -> str:
    """What pytest says of them.

    Args:
        directory: Where the file goes.
        blocks: The code of the page.
        changes: What to break first: a text that is there once, and what to put in its place.
    """
    source = "\n\n".join(blocks)
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    (directory / "test_page.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr
