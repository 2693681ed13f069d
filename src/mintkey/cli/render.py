"""What people see: colours on a terminal, plain text in a pipe, ASCII where nothing else can be shown."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

__all__ = ["Glyphs", "glyphs", "printable", "show_done", "show_facts", "stdout"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs we draw with."""

    yes: str = "✓"
    no: str = "✗"
    pending: str = "░"
    active: str = "█"
    retiring: str = "▒"
    now: str = "▼"
    more: str = "…"
    dot: str = "·"


_ASCII = Glyphs(yes="+", no="x", pending=".", active="#", retiring="-", now="v", more="..", dot="-")


class _Stdout(Console):
    def on_broken_pipe(self) -> None:
        # The base would leave the process with exit code 1, which says that a token was refused.
        raise BrokenPipeError


def stdout() -> Console:
    """The console for results; rich looks at `NO_COLOR`, `TERM` and `COLUMNS`."""
    # A claim that the terminal's encoding does not have is no reason to fail after a token was spent.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return _Stdout(highlight=False, emoji=False, markup=False)


def glyphs(console: Console, /) -> Glyphs:
    """The signs that a console can show."""
    return _ASCII if console.options.ascii_only else Glyphs()


def printable(text: str, /) -> str:
    r"""The text with everything escaped that could steer a terminal or hide something.

    Example:
        >>> printable("alice\x1b[2J")
        'alice\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def show_done(text: str, /) -> None:
    """Say on stdout that something was done."""
    console = stdout()
    console.print(Text(f"{glyphs(console).yes} {text}"), soft_wrap=True)


def show_facts(console: Console, pairs: Mapping[str, str], /) -> None:
    """Names and values, one pair a line; the terminal wraps what is long, so that it can be copied whole."""
    # Names too may have been written by anybody: those of header members and of claims.
    shown = [(printable(name), printable(value)) for name, value in pairs.items()]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        console.print(Text.assemble((f"  {name:<{width}}  ", "dim"), value), soft_wrap=True)
