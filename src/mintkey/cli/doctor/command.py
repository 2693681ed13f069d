"""`mintkey doctor`, for people and for programs."""

import os
from collections.abc import Mapping, Sequence

import anyio
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mintkey.cli.doctor.advice import advice_on, figure_of, unit_of
from mintkey.cli.doctor.examination import Examination, RingState, examine
from mintkey.cli.doctor.facts import effective, installed
from mintkey.cli.doctor.notes import notes
from mintkey.cli.options import IssuerOption, JsonOption, RingOption, StoreOption
from mintkey.cli.outcome import ExitCode
from mintkey.cli.render import glyphs, printable, stdout
from mintkey.cli.settings import read_settings
from mintkey.cli.shapes import print_json
from mintkey.cli.store import find_place
from mintkey.errors import ConfigurationError
from mintkey.health import Check, Health

__all__ = ["doctor"]

_Setting = tuple[str, str, str]


def doctor(
    *,
    store: StoreOption = None,
    ring: RingOption = None,
    issuer: IssuerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at settings, store, keys and clocks, and say what to do. Changes nothing and makes nothing.

    Ends with 0 if all is well, 2 if the settings are wrong, 3 if a check fails.
    """
    problems: list[str] = []
    settings = read_settings(os.environ, problems, store=store, ring=ring, issuer=issuer)
    ConfigurationError.raise_if(problems)
    place = find_place(settings)
    found = anyio.run(examine, settings, place)
    in_force, packages = list(effective(settings, place)), installed()
    said = list(notes(settings, place, found, packages))
    if as_json:
        print_json(_as_json(in_force, found, packages, said))
    else:
        _show(stdout(), in_force, found, packages, said)
    if not Health(found.checks).ok:
        raise typer.Exit(ExitCode.BACKEND)


def _as_json(
    in_force: Sequence[_Setting], found: Examination, packages: Mapping[str, str | None], said: Sequence[str]
) -> dict[str, object]:
    return {
        "ok": Health(found.checks).ok,
        "settings": {name: {"value": value, "from": origin} for name, value, origin in in_force},
        "ring": found.ring.value,
        "checks": {name: _check_as_json(name, check) for name, check in found.checks.items()},
        "packages": packages,
        "notes": said,
    }


def _check_as_json(name: str, check: Check) -> dict[str, object]:
    return {
        "ok": check.ok,
        "word": check.word,
        "figure": check.figure,
        "unit": unit_of(name),
        "advice": advice_on(name, check),
    }


def _show(
    console: Console,
    in_force: Sequence[_Setting],
    found: Examination,
    packages: Mapping[str, str | None],
    said: Sequence[str],
) -> None:
    _title(console, "Settings")
    width = max(len(name) for name, _, _ in in_force)
    for name, value, origin in in_force:
        shown = Text.assemble((f"  {name:<{width}}  ", "dim"), printable(value), (f"  [{origin}]", "dim"))
        console.print(shown, soft_wrap=True)
    _title(console, "Checks")
    _show_checks(console, found.checks)
    _title(console, "Installed")
    listed = (f"{name} {'not installed' if version is None else version}" for name, version in packages.items())
    _sentence(console, Text(", ".join(listed)))
    if said:
        _title(console, "Notes")
        for note in said:
            _sentence(console, Text(f"{glyphs(console).dot} {printable(note)}"))
    console.print()
    failed = sum(not check.ok for check in found.checks.values())
    if failed:
        verdict = f"{glyphs(console).no} {failed} of {len(found.checks)} checks failed"
        console.print(Text(verdict, style="bold red"))
    else:
        more = "; no ring yet" if found.ring is RingState.NONE else ""
        console.print(Text(f"{glyphs(console).yes} all is well{more}", style="bold green"))


def _show_checks(console: Console, checks: Mapping[str, Check]) -> None:
    signs = glyphs(console)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    for name, check in checks.items():
        mark = Text(f"  {signs.yes}", style="green") if check.ok else Text(f"  {signs.no}", style="bold red")
        table.add_row(mark, name, printable(check.word), figure_of(name, check))
    console.print(table)
    for name, check in checks.items():
        advice = advice_on(name, check)
        if advice is not None:
            console.print()
            _sentence(console, Text.assemble((name, "bold red"), f": {advice}"))


def _sentence(console: Console, text: Text) -> None:
    console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _title(console: Console, title: str) -> None:
    console.print(Text(f"\n{title}", style="bold"))
