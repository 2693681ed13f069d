"""Tests that a page names as proofs, looked for where they should be."""

import re

from tests.docs.page import ROOT

__all__ = ["CONTRACT", "TEST", "missing"]

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CONTRACT = re.compile(r"contract: `(\w+)`")

_CONTRACTS = ROOT / "src" / "mintkey" / "testing" / "contracts"


def missing(cell: str, /) -> list[str]:
    """What is wrong with the proofs in a cell: none at all, words that are no proof, and tests that do not exist."""
    tests, contracts = TEST.findall(cell), CONTRACT.findall(cell)
    problems: list[str] = []
    if not tests and not contracts:
        problems.append("proves nothing")
    if len(tests) + len(contracts) != cell.count("`") // 2:
        problems.append("names something that is no test")
    for path, name in tests:
        file = ROOT / path
        if not file.exists() or not _has(file.read_text(encoding="utf-8"), name):
            problems.append(f"there is no {path}::{name}")
    promises = "".join(path.read_text(encoding="utf-8") for path in _CONTRACTS.glob("*.py"))
    problems += [f"no contract has {name}" for name in contracts if not _has(promises, name)]
    return problems


def _has(source: str, name: str) -> bool:
    return re.search(rf"^ *(?:async )?def {name}\(", source, re.MULTILINE) is not None
