"""What became of every mutant, in a file that grows by a line each: a run that was ended goes on where it was."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

__all__ = ["Result", "Results"]

KILLED = frozenset({"killed", "timeout"})


@dataclass(frozen=True)
class Result:
    """What became of one mutant.

    Attributes:
        status: `killed` by a test, `timeout` as a test did not end, `survived`.
        by: The test that noticed.
        tests: How many tests ran, and how many run the line.
    """

    name: str
    line: int
    operator: str
    status: str
    by: str | None = None
    tests: tuple[int, int] = (0, 0)
    seconds: float = 0.0

    @property
    def is_killed(self) -> bool:
        return self.status in KILLED

    @property
    def module(self) -> str:
        return self.name.partition(":")[0]


class Results:
    """The results of all rooms; the last one of a mutant counts.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.all: dict[str, Result] = {}
        self.reload()

    def reload(self) -> None:
        """Read what other processes wrote."""
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                values = json.loads(line)
                self.all[values["name"]] = Result(**{**values, "tests": tuple(values["tests"])})

    def add(self, *results: Result) -> None:
        """Remember results, at once."""
        with self._path.open("a", encoding="utf-8") as file:
            for result in results:
                rounded = replace(result, seconds=round(result.seconds, 3))
                file.write(json.dumps(asdict(rounded), ensure_ascii=False) + "\n")
                self.all[result.name] = result

    def counts(self, names: Iterable[str]) -> Counter[str]:
        """How many of some mutants were killed, survived, were not tried."""
        return Counter(self.all[name].status if name in self.all else "not run" for name in names)
