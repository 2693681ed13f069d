"""What a question answers: figures with their targets, and plots.

Values only, so that one process can hand them to another.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Figure", "Line", "Plot", "Report"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        target: Which target it belongs to, such as `P1`; empty for a figure that is only told.
        what: What was measured, such as `EdDSA mint / bare sign`.
        value: The measured figure.
        unit: Of the value: `x` for a ratio, `ms`, `B`, …
        must: What it has to reach, if anything.
        aim: What it should reach, if anything.
        at_least: Higher is better. A stall or a size has False here.

    Example:
        >>> figure = Figure("P1", "EdDSA mint / bare sign", 0.84, must=0.80, aim=0.88)
        >>> figure.holds, figure.reaches, figure.mark
        (True, False, 'must')
    """

    target: str
    what: str
    value: float
    unit: str = "x"
    must: float | None = None
    aim: float | None = None
    at_least: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is as good as it has to be."""
        return self._as_good_as(self.must)

    @property
    def reaches(self) -> bool:
        """Whether it is as good as it should be."""
        return self._as_good_as(self.must if self.aim is None else self.aim)

    @property
    def mark(self) -> Literal["", "aim", "must", "MISSED"]:
        """The better of the two that it is as good as; nothing where there is no target."""
        if self.must is None and self.aim is None:
            return ""
        if not self.holds:
            return "MISSED"
        return "aim" if self.reaches else "must"

    def _as_good_as(self, target: float | None) -> bool:
        if target is None:
            return True
        return self.value >= target if self.at_least else self.value <= target


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or one colour of bars, of a plot.

    Attributes:
        name: In the legend.
        xs: Where: numbers, or names of categories. A bar that does not apply is left out.
        ys: How much.
        reference: Something to compare with, drawn thin and dashed, and not measured.
    """

    name: str
    xs: tuple[float | str, ...]
    ys: tuple[float, ...]
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture.

    Attributes:
        file: Name of the file, without suffix.
        title: Above it.
        x: Label of the axis.
        y: Label of the axis.
        lines: What is drawn.
        kind: Lines, or groups of bars.
        log_x: A logarithmic axis.
        log_y: A logarithmic axis.
        values: Write the figures at the points or bars.
        common: The name of a line that every question that draws into this file measured: what a process measured in
            another minute is scaled by it.
    """

    file: str
    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    kind: Literal["bars", "lines"] = "lines"
    log_x: bool = False
    log_y: bool = False
    values: bool = False
    common: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one question answered.

    Attributes:
        figures: Rows of the table.
        plots: Pictures.
        notes: What else a reader must know, such as that a tool is missing.

    Example:
        >>> report = Report((Figure("P17", "import mintkey / import joserfc.jwt", 1.1, at_least=False),))
        >>> Report.from_json(report.to_json()) == report
        True
    """

    figures: tuple[Figure, ...]
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """One line that `from_json` reads. NaN and infinity are refused: a figure that could not be had is left out."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str, /) -> "Report":
        """The report that was written."""
        document: Mapping[str, Any] = json.loads(text)
        return cls(
            figures=tuple(Figure(**figure) for figure in document["figures"]),
            plots=tuple(_plot(plot) for plot in document["plots"]),
            notes=tuple(document["notes"]),
        )


def _plot(document: Mapping[str, Any]) -> Plot:
    lines = (Line(**{**line, "xs": tuple(line["xs"]), "ys": tuple(line["ys"])}) for line in document["lines"])
    return Plot(**{**document, "lines": tuple(lines)})
