"""A progress bar for a person who waits: on stderr, if that is a terminal, and gone when the work is done."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["Progress", "progress"]

Progress = Callable[[int, int], object]
"""Told how much is done, and how much there is to do."""


@contextmanager
def progress(what: str, /, *, is_wanted: bool) -> Generator[Progress]:
    """Show how far the work in the block is, as it tells.

    Args:
        what: The work, in one word.
        is_wanted: Whether a bar would disturb nobody; there is none without a terminal either.
    """
    # Not rich's opinion: FORCE_COLOR makes it draw into files, and programs read what we write there.
    if not (is_wanted and sys.stderr.isatty()):
        yield _unseen
        return
    from rich import progress as bars  # noqa: PLC0415 - most commands draw none

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
    # Rich would take stdout in hand as well, which is for results alone.
    with bars.Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _unseen(done: int, total: int, /) -> None:
    """Nobody watches."""
