"""`mintkey keys`: look at the versions of the key, and rotate them."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from mintkey.cli import ring_view
from mintkey.cli.options import JsonOption, StoreOption, show_help
from mintkey.cli.outcome import ExitCode
from mintkey.cli.render import glyphs, stdout
from mintkey.cli.settings import Settings, read_settings
from mintkey.cli.shapes import print_json, version_as_json
from mintkey.cli.stdin import ask, has_terminal
from mintkey.cli.store import with_keys
from mintkey.clock import SystemClock, from_timestamp
from mintkey.errors import ConfigurationError
from mintkey.keys.base import IKeyProvider, KeyVersion

__all__ = ["keys", "print_jwks"]

keys: typer.Typer = typer.Typer(help="Look at the versions of the key, and rotate them.", invoke_without_command=True)
keys.callback()(show_help)


@keys.command("list")
def list_versions(*, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the versions of the key: which one signs, which one is next, how long old ones verify."""

    async def work(provider: IKeyProvider) -> Sequence[KeyVersion]:
        return await provider.versions()

    versions = with_keys(_settings(store), work)
    if as_json:
        print_json({"keys": [version_as_json(version) for version in versions]})
        return
    console = stdout()
    ring_view.show_table(console, versions)
    console.print()
    ring_view.show_time_line(console, versions, now=from_timestamp(SystemClock().time()))


@keys.command()
def rotate(
    *,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the next version sign from now on; the one before it keeps verifying for MINTKEY_PREVIOUS_TTL (1d)."""
    if not yes and not has_terminal():
        raise ConfigurationError("nobody can be asked, because stdin is no terminal: give --yes")
    settings = _settings(store)
    if not yes and not ask("Rotate the key now?"):
        print("nothing was rotated", file=sys.stderr)
        raise typer.Exit(ExitCode.USAGE)

    async def work(provider: IKeyProvider) -> KeyVersion:
        return await provider.rotate()

    version = with_keys(settings, work)
    if as_json:
        print_json(version_as_json(version))
    else:
        console = stdout()
        console.print(Text(f"{glyphs(console).yes} {version.kid} signs from now on"))


def print_jwks(*, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Print the JWK Set: the public keys of all versions that sign or verify (RFC 7517)."""

    async def work(provider: IKeyProvider) -> dict[str, object]:
        return {**(await provider.jwks()).as_dict()}

    jwks = with_keys(_settings(store), work)
    if as_json:
        print_json(jwks)
    else:
        stdout().print_json(data=jwks)


def _settings(store: str | None) -> Settings:
    problems: list[str] = []
    settings = read_settings(os.environ, problems, store=store)
    ConfigurationError.raise_if(problems)
    return settings
