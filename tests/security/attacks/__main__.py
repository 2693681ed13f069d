"""Lists the attack corpus: `python -m tests.security.attacks [ALGORITHM [FAMILY]]`."""

import sys

from tests.security.attacks.corpus import ALGORITHMS, cases, families_of

__all__: list[str] = []


def _table() -> str:
    lines = [" " * 24 + "".join(f"{algorithm:>7}" for algorithm in ALGORITHMS)]
    totals = dict.fromkeys(ALGORITHMS, 0)
    for family in dict.fromkeys(family for algorithm in ALGORITHMS for family in families_of(algorithm)):
        row = f"{family:24}"
        for algorithm in ALGORITHMS:
            number = len(cases(algorithm, family)) if family in families_of(algorithm) else 0
            totals[algorithm] += number
            row += f"{number or '':>7}"
        lines.append(row)
    lines.append(f"{'all':24}" + "".join(f"{number:>7}" for number in totals.values()))
    return "\n".join(lines)


def _list(algorithm: str, families: list[str]) -> str:
    lines: list[str] = []
    for family in families:
        for case in cases(algorithm, family):
            reason = "" if case.reason is None else f" ({case.reason})"
            lines.append(f"{family}: {case.name}: {case.verdict}{reason}: {case.why}")
    return "\n".join(lines)


if __name__ == "__main__":
    _, *chosen = sys.argv
    print(_list(chosen[0], chosen[1:] or families_of(chosen[0])) if chosen else _table())  # noqa: T201 - its purpose
