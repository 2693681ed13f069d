"""What the shell offers at TAB beyond the commands and options, which typer knows by itself."""

from collections.abc import Sequence

import anyio
import typer

from mintkey.cli.purposes import PRESETS
from mintkey.cli.settings import ring_settings
from mintkey.cli.store import find_place
from mintkey.errors import MintkeyError
from mintkey.keys.base import KeyVersion
from mintkey.settings import durations

__all__ = ["complete_kid", "complete_purpose"]

_PATIENCE = 2.0
"""Seconds of real time that a person waits at TAB for a store."""


def complete_purpose(incomplete: str) -> list[tuple[str, str]]:
    """The presets that begin like that, each with what it is.

    Example:
        >>> complete_purpose("mag")
        [('magic-link', 'single use, lives 10 min')]
    """
    return [
        (name, f"{'single use, ' if purpose.single_use else ''}lives {durations.as_text(purpose.lifetime)}")
        for name, purpose in PRESETS.items()
        if name.startswith(incomplete)
    ]


def complete_kid(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The kids in the ring that begin like that, each with its state. Looks, as the doctor does, and makes nothing."""
    try:
        versions = _versions(context.params.get("store"), context.params.get("ring"))
    except (MintkeyError, OSError):
        # In the middle of a line nobody wants to read complaints; the command itself will tell.
        return []
    return [(version.kid, version.state.value) for version in versions if version.kid.startswith(incomplete)]


def _versions(store: str | None, ring: str | None) -> Sequence[KeyVersion]:
    # Imported here: it takes a moment, and only who presses TAB at the place of a kid needs it.
    from mintkey.cli.doctor.examination import examine  # noqa: PLC0415

    settings = ring_settings(store=store, ring=ring)
    place = find_place(settings)

    async def main() -> Sequence[KeyVersion]:
        with anyio.move_on_after(_PATIENCE):
            return (await examine(settings, place)).versions
        return ()

    return anyio.run(main)
