"""A key ring for people: its versions as a table, and as bars over time."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mintkey.cli.moments import moment
from mintkey.cli.render import Glyphs, glyphs, show_facts
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.settings import durations

__all__ = ["bar", "show_table", "show_time_line", "show_version", "state_at"]

_STYLES = {
    KeyState.PENDING: "cyan",
    KeyState.ACTIVE: "bold green",
    KeyState.RETIRING: "yellow",
    KeyState.RETIRED: "dim",
    KeyState.REVOKED: "bold red",
}
_KID = 8
_LABEL = 26
_SHORTEST = timedelta(hours=1)


def show_table(console: Console, versions: Sequence[KeyVersion], /) -> None:
    """The versions, one a line, newest last; a kid is shown whole, to be copied."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("KID", no_wrap=True)
    table.add_column("ALG", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("MINTS", no_wrap=True, justify="right")
    for version in reversed(versions):
        state = Text(version.state.value, style=_STYLES[version.state])
        table.add_row(version.kid, version.algorithm, state, f"{version.mints:,}")
    console.print(table)


def show_version(console: Console, version: KeyVersion, /) -> None:
    """All there is to know about one version; a secret has nothing public."""
    times = {
        "created": version.created_at,
        "signs from": version.activates_at,
        "signs until": version.retires_at,
        "verifies until": version.verify_until,
    }
    facts = {
        "kid": version.kid,
        "algorithm": version.algorithm,
        "state": version.state.value,
        **{name: moment(instant) for name, instant in times.items() if instant is not None},
        "mints": f"{version.mints:,}",
        "public key": "none, it is a secret" if version.public_jwk is None else json.dumps(version.public_jwk),
    }
    show_facts(console, facts)


def show_time_line(console: Console, versions: Sequence[KeyVersion], /, *, now: datetime) -> None:
    """What each version does over time, newest last, and where we are now."""
    signs = glyphs(console)
    begin, end = _span(versions, now)
    width = max(10, console.width - _KID - _LABEL - 4)
    cells = [begin + (end - begin) * (cell + 0.5) / width for cell in range(width)]
    here = min(width - 1, int((now - begin) / (end - begin) * width))
    margin = " " * (_KID + 2)
    console.print(Text(f"{margin}{' ' * here}{signs.now} now"))
    for version in reversed(versions):
        line = Text(f"{version.kid[:_KID]:<{_KID}}  ")
        line.append_text(bar(version, cells, signs, now=now))
        line.append(f"  {_label(version, now)}", style=_STYLES[version.state])
        console.print(line, no_wrap=True, overflow="crop")
    first, last = f"{begin:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M} UTC"
    console.print(Text(f"{margin}{first}{last:>{max(len(last) + 1, width - len(first))}}", style="dim"))
    legend = f"{signs.pending} pending  {signs.active} active  {signs.retiring} retiring"
    console.print(Text(f"{margin}{legend}", style="dim"))


def bar(version: KeyVersion, cells: Sequence[datetime], signs: Glyphs, /, *, now: datetime) -> Text:
    """A version's life, one sign for each of the instants; what is still to come is dim."""
    marks = {KeyState.PENDING: signs.pending, KeyState.ACTIVE: signs.active, KeyState.RETIRING: signs.retiring}
    line = Text()
    for (state, is_ahead), run in groupby((state_at(version, instant), instant > now) for instant in cells):
        length = len(list(run))
        if state is None:
            line.append(" " * length)
        else:
            line.append(marks[state] * length, style=f"{_STYLES[state]} dim" if is_ahead else _STYLES[state])
    return line


def state_at(version: KeyVersion, instant: datetime, /) -> KeyState | None:
    """What a version did or will do at an instant, as far as its times are known; None: it is not in use."""
    if instant < version.created_at:
        return None
    if version.retires_at is not None and instant >= version.retires_at:
        is_refused = version.state is KeyState.REVOKED
        is_over = version.verify_until is not None and instant >= version.verify_until
        return None if is_refused or is_over else KeyState.RETIRING
    if version.activates_at is not None and instant >= version.activates_at:
        return KeyState.ACTIVE
    return KeyState.PENDING


def _span(versions: Sequence[KeyVersion], now: datetime) -> tuple[datetime, datetime]:
    """From the first version to the last time that is known, and a little more, so that the latest change shows."""
    known = [now, *(instant for version in versions for instant in _instants(version))]
    begin, end = min(known), max(known)
    return begin, end + max(_SHORTEST, (end - begin) / 10)


def _instants(version: KeyVersion) -> Iterator[datetime]:
    yield version.created_at
    yield from (at for at in (version.activates_at, version.retires_at, version.verify_until) if at is not None)


def _label(version: KeyVersion, now: datetime) -> str:
    if version.state is KeyState.RETIRING and version.verify_until is not None:
        return f"retiring, {durations.as_text(version.verify_until - now)} left"
    return version.state.value
