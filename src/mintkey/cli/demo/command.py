"""`mintkey demo`, for people and for programs."""

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from rich.console import Console
from rich.text import Text

from mintkey.cli.options import JsonOption
from mintkey.cli.render import glyphs, stdout
from mintkey.cli.shapes import print_json
from mintkey.clock import SystemClock

__all__ = ["demo"]


def demo(*, as_json: JsonOption = False) -> None:
    """See it work in seconds: single use, a race, rotation by count and by time. Needs nothing, leaves nothing."""
    # Imported here: SQLAlchemy takes a while, and other commands may not need it.
    from mintkey.cli.demo.play import play  # noqa: PLC0415

    console = Console(quiet=True) if as_json else stdout()
    began = SystemClock().monotonic()
    with TemporaryDirectory(prefix="mintkey-demo-") as directory:
        figures = anyio.run(play, Path(directory), console)
    seconds = round(SystemClock().monotonic() - began, 3)
    if as_json:
        print_json({"ok": True, **figures, "seconds": seconds})
    else:
        verdict = f"{glyphs(console).yes} {figures['promises']} promises kept in {seconds:.1f} s"
        console.print(Text(verdict, style="bold green"))
        console.print(Text("Now your own:"))
        console.print(Text("  mintkey token mint magic-link --issuer https://myapp.example --subject 20"))
