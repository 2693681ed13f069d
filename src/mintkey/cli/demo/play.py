"""The demonstration from the first act to the last, told on a console."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mintkey.cli import ring_view
from mintkey.cli.demo.acts import ACTS, Played
from mintkey.cli.demo.stage import Stage, open_stage
from mintkey.cli.render import glyphs
from mintkey.cli.shapes import version_as_json
from mintkey.keys.base import KeyState, KeyVersion

__all__ = ["play"]


async def play(directory: Path, console: Console, /) -> dict[str, object]:
    """Play all acts on a new store in this directory; the figures of each, for programs.

    Raises:
        BrokenPromiseError: Something is not as the library promises.
        BackendError: The store did not do its part.
    """
    figures: dict[str, object] = {}
    async with open_stage(directory) as stage:
        setting = f"One SQLite file, {len(stage.workers)} workers, sealed private keys, a clock that runs on command"
        console.print(Text(setting, style="dim"))
        for number, act in enumerate(ACTS, start=1):
            played = await act.play(stage)
            figures[act.name] = played.figures
            _show(console, f"{number}  {act.title}", played)
        ring = await _history(stage)
        console.print(Text(f"\n{len(ACTS) + 1}  The key ring over that time", style="bold"))
        ring_view.show_time_line(console, ring, now=stage.clock.now())
        console.print()
    return {**figures, "ring": [version_as_json(version) for version in ring], "promises": stage.kept}


async def _history(stage: Stage) -> list[KeyVersion]:
    """All versions there ever were, newest first; a worker may have dropped those whose time is over."""
    kids = {version.kid for version in await stage.look()}
    versions = sorted(stage.history.values(), key=lambda version: version.created_at, reverse=True)
    return [version if version.kid in kids else replace(version, state=KeyState.RETIRED) for version in versions]


def _show(console: Console, title: str, played: Played) -> None:
    signs = glyphs(console)
    console.print(Text(f"\n{title}", style="bold"))
    for was_granted, line in played.lines:
        mark, style = (signs.yes, "green") if was_granted else (signs.no, "red")
        console.print(Text.assemble("   ", (mark, style), f" {line}"))
