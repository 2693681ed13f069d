"""`mintkey doctor`, for people and for programs."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mintkey.cli.doctor.acceleration import Accelerator, accelerators
from mintkey.cli.doctor.advice import advice_on, figure_of, unit_of
from mintkey.cli.doctor.examination import Examination, RingState, examine
from mintkey.cli.doctor.facts import effective, installed
from mintkey.cli.doctor.notes import notes
from mintkey.cli.doctor.operator_keys import read_operator_keys
from mintkey.cli.options import IssuerOption, JsonOption, RingOption, StoreOption
from mintkey.cli.outcome import ExitCode
from mintkey.cli.render import glyphs, printable, stdout
from mintkey.cli.settings import read_settings
from mintkey.cli.shapes import print_json
from mintkey.cli.store import find_place
from mintkey.errors import ConfigurationError
from mintkey.health import Check, Health
from mintkey.settings.spelling import misspelt

__all__ = ["doctor"]


class _Report(NamedTuple):
    settings: Sequence[tuple[str, str, str]]
    found: Examination
    packages: Mapping[str, str | None]
    accelerators: Sequence[Accelerator]
    notes: Sequence[str]


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
    operator_keys = read_operator_keys(os.environ, problems, settings)
    ConfigurationError.raise_if(problems)
    place = find_place(settings, keys_are_elsewhere=bool(operator_keys.versions))
    found = anyio.run(examine, settings, place)
    packages = installed()
    faster = accelerators(packages)
    report = _Report(
        settings=list(effective(settings, place, operator_keys)),
        found=found,
        packages=packages,
        accelerators=faster,
        notes=[
            *notes(settings, place, found, faster),
            *operator_keys.notes(),
            *misspelt(os.environ),
        ],
    )
    if as_json:
        print_json(_as_json(report))
    else:
        _show(stdout(), report)
    if not Health(found.checks).ok:
        raise typer.Exit(ExitCode.BACKEND)


def _as_json(report: _Report) -> dict[str, object]:
    checks = report.found.checks
    return {
        "ok": Health(checks).ok,
        "settings": {name: {"value": value, "from": origin} for name, value, origin in report.settings},
        "ring": report.found.ring.value,
        "checks": {name: _check_as_json(name, check) for name, check in checks.items()},
        "packages": report.packages,
        "speed": {one.name: {"for": one.task, "version": one.version, "used": one.used} for one in report.accelerators},
        "notes": report.notes,
    }


def _check_as_json(name: str, check: Check) -> dict[str, object]:
    return {
        "ok": check.ok,
        "word": check.word,
        "figure": check.figure,
        "unit": unit_of(name),
        "advice": advice_on(name, check),
    }


def _show(console: Console, report: _Report) -> None:
    checks = report.found.checks
    _title(console, "Settings")
    _show_facts(console, report.settings)
    _title(console, "Checks")
    _show_checks(console, checks)
    _title(console, "Installed")
    listed = (f"{name} {'not installed' if version is None else version}" for name, version in report.packages.items())
    _sentence(console, Text(", ".join(listed)))
    _title(console, "Speed")
    _show_facts(console, [(one.name, one.condition, f"for {one.task}") for one in report.accelerators])
    if report.notes:
        _title(console, "Notes")
        for note in report.notes:
            _sentence(console, Text(f"{glyphs(console).dot} {printable(note)}"))
    console.print()
    failed = sum(not check.ok for check in checks.values())
    if failed:
        verdict = f"{glyphs(console).no} {failed} of {len(checks)} checks failed"
        console.print(Text(verdict, style="bold red"))
    else:
        more = "; no ring yet" if report.found.ring is RingState.NONE else ""
        console.print(Text(f"{glyphs(console).yes} all is well{more}", style="bold green"))


def _show_facts(console: Console, facts: Sequence[tuple[str, str, str]]) -> None:
    """Each with its name, and in brackets what else there is to say."""
    width = max(len(name) for name, _, _ in facts)
    for name, value, more in facts:
        shown = Text.assemble((f"  {name:<{width}}  ", "dim"), printable(value), (f"  [{more}]", "dim"))
        console.print(shown, soft_wrap=True)


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
