"""The table that is printed, as Markdown: a column for every event loop."""

from collections.abc import Mapping, Sequence

from benchmarks.report import Figure, Report

__all__ = ["number", "table"]


def table(reports: Mapping[str, Report], /, *, judged: bool = True) -> str:
    """All figures, one a row, and the notes below.

    Args:
        reports: What was measured, by event loop. The first one has the order of the rows, and its mark is the one
            that decides; a figure that another loop misses says so. Where a loop makes no difference it has a dash.
        judged: Whether to say which targets are met; in quick mode nothing is known about that.
    """
    loops = list(reports)
    found = {loop: {(figure.target, figure.what): figure for figure in reports[loop].figures} for loop in loops}
    keys = list(dict.fromkeys(key for loop in loops for key in found[loop]))
    head = ("target", "what", "unit", "must", "aim", *(text for loop in loops for text in (loop, "mark")))
    rows = [_row([found[loop].get(key) for loop in loops], judged=judged) for key in keys]
    notes = dict.fromkeys(note for loop in loops for note in reports[loop].notes)
    return "\n".join([*_aligned([head, *rows]), *(f"\nNote: {note}" for note in notes)])


def number(value: float, /) -> str:
    """A figure with as many digits as mean something.

    Example:
        >>> number(0.8412), number(12.345), number(1234567.8), number(0.00042)
        ('0.84', '12.3', '1,234,568', '0.00042')
    """
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    if size >= 10:  # noqa: PLR2004 - three digits
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or not size else f"{value:.2g}"  # noqa: PLR2004 - two digits


def _row(figures: Sequence[Figure | None], *, judged: bool) -> tuple[str, ...]:
    known = next(figure for figure in figures if figure is not None)
    sign = "≥" if known.at_least else "≤"
    goals = ("" if goal is None else f"{sign} {goal:g}" for goal in (known.must, known.aim))
    values = (
        text for f in figures for text in (("–", "") if f is None else (number(f.value), f.mark if judged else ""))
    )
    return (known.target, known.what, known.unit, *goals, *values)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]
