"""Draw plots as SVG: the same figures make the same file, so that a change of the file is a change of the figures."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.report import Line, Plot
from benchmarks.table import number

__all__ = ["draw", "merged"]

_COLOURS = {
    "bare cryptography": "#9aa5b1",
    "mintkey": "#2b6cb0",
    "mintkey + speed": "#63b3ed",
    "PyJWT": "#c05621",
    "joserfc": "#dd9f40",
    "Authlib": "#97266d",
    "itsdangerous": "#68774a",
}
"""Those who appear in several plots look the same in all of them, and stand in this order."""

_OTHERS = ("#2b6cb0", "#c05621", "#2f855a", "#97266d", "#dd9f40", "#68774a", "#9aa5b1")
_REFERENCES = ("-", "--", ":", "-.")
_MANY = 5
"""From so many groups on their names take a line for each word."""

_BARS = 0.84
"""How much of a group's room its bars take."""


def merged(plots: Iterable[Plot], /) -> list[Plot]:
    """One plot for each file: several questions may draw into the same one."""
    found: dict[str, Plot] = {}
    for plot in plots:
        known = found.get(plot.file)
        found[plot.file] = plot if known is None else replace(known, lines=known.lines + _in_scale(plot, known))
    return list(found.values())


def _in_scale(plot: Plot, known: Plot) -> tuple[Line, ...]:
    """The lines that are new, as they would be had the machine been as fast as it was for those that are known."""
    if not plot.common:
        return plot.lines
    then, now = (
        next(dict(zip(line.xs, line.ys, strict=True)) for line in lines if line.name == plot.common)
        for lines in (known.lines, plot.lines)
    )
    return tuple(
        replace(line, ys=tuple(y * then[x] / now[x] for x, y in zip(line.xs, line.ys, strict=True)))
        for line in plot.lines
        if line.name != plot.common
    )


def draw(plot: Plot, folder: Path, /) -> Path:
    """Write one plot into a folder, as `<plot.file>.svg`; the file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    order = {name: position for position, name in enumerate(_COLOURS)}
    lines = sorted((line for line in plot.lines if not line.reference), key=lambda line: order.get(line.name, 99))
    references = [line for line in plot.lines if line.reference]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plot.file}.svg"
    with mpl.rc_context({"svg.hashsalt": "mintkey", "svg.fonttype": "none", "font.size": 9}):
        drawing = Figure(figsize=(7.6, 3.8), layout="constrained")
        axes: Any = drawing.add_subplot()
        axes.set_title(plot.title, fontsize=10)
        axes.set_xlabel(plot.x)
        axes.set_ylabel(plot.y)
        axes.spines[["top", "right"]].set_visible(False)
        if plot.log_x:
            axes.set_xscale("log")
        if plot.log_y:
            axes.set_yscale("log")
        (_bars if plot.kind == "bars" else _lines)(axes, lines, values=plot.values)
        if not any(isinstance(x, str) for line in lines for x in line.xs):
            axes.xaxis.set_major_formatter(_written)
        axes.yaxis.set_major_formatter(_written)
        for line, style in zip(references, _REFERENCES, strict=False):
            axes.plot(line.xs, line.ys, color="#555555", linestyle=style, linewidth=1, label=line.name)
        if len(plot.lines) > 1:
            # Below the axes and not among the figures, whatever those are.
            drawing.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
        if not plot.log_y:
            axes.set_ylim(0, axes.get_ylim()[1] * 1.05)  # flat looks flat
        drawing.savefig(path, format="svg", metadata={"Date": None})
    return path


def _written(value: float, _position: int | None) -> str:
    return f"{value:,.12g}"


def _colour(line: Line, position: int) -> str:
    return _COLOURS.get(line.name, _OTHERS[position % len(_OTHERS)])


def _lines(axes: Any, lines: Sequence[Line], *, values: bool) -> None:
    for position, line in enumerate(lines):
        axes.plot(line.xs, line.ys, marker="o", markersize=4, color=_colour(line, position), label=line.name)
        for x, y in zip(line.xs, line.ys, strict=True) if values else ():
            axes.annotate(number(y), (x, y), textcoords="offset points", xytext=(0, -12), ha="center", fontsize=7)
    axes.margins(x=0.06, y=0.15)


def _bars(axes: Any, lines: Sequence[Line], *, values: bool) -> None:
    groups = list(dict.fromkeys(x for line in lines for x in line.xs))
    counts = {group: sum(group in line.xs for line in lines) for group in groups}
    placed = dict.fromkeys(groups, 0)
    widest = max(counts.values(), default=1)
    width = _BARS / widest
    for position, line in enumerate(lines):
        # A group with fewer bars keeps them together in its middle.
        left = [groups.index(x) + (placed[x] - (counts[x] - 1) / 2) * width for x in line.xs]
        for x in line.xs:
            placed[x] += 1
        drawn = axes.bar(left, line.ys, width * 0.92, color=_colour(line, position), label=line.name)
        if values:
            axes.bar_label(drawn, [number(y) for y in line.ys], fontsize=6, padding=1)
    names = [str(group) for group in groups]
    axes.set_xticks(range(len(groups)), names if len(names) < _MANY else [name.replace(" ", "\n") for name in names])
    axes.margins(y=0.12)
