"""Every case of the attack corpus, by every call that takes a token: refused for its reason, or accepted.

A test is a family of attacks on one algorithm. `python -m tests.security.attacks` counts all cases, and with the name
of an algorithm lists them. What the calls do differently has nothing to do with the algorithm, and neither has what the
`speed` extra reads: both are tried with one algorithm of each kind, or with all of them (`MINTKEY_ATTACKS=all`).
"""

from collections.abc import Sequence

import pytest

from tests.security.attacks.case import CALLS
from tests.security.attacks.corpus import (
    ALGORITHMS,
    ALL,
    ONE_OF_A_KIND,
    cases,
    families_of,
    forge_of,
    is_about_claims,
    is_foreign,
)
from tests.security.attacks.trial import Trial
from tests.support.speed import AT_WORK, EXPECTED, require_speed, without_speed


def families(algorithms: Sequence[str]) -> list[tuple[str, str]]:
    return [(algorithm, family) for algorithm in algorithms for family in families_of(algorithm)]


@pytest.mark.parametrize(("algorithm", "family"), families(ALGORITHMS))
async def test_family(algorithm: str, family: str) -> None:
    calls: Sequence[str] = CALLS
    if not ALL and is_foreign(family):
        calls = ("verify",)  # who reads claims is the same for all
    elif algorithm not in ONE_OF_A_KIND:
        calls = ("verify",) if is_about_claims(family) else ("verify", "verify_compact")
    with without_speed():
        assert await Trial(forge_of(algorithm)).objections(cases(algorithm, family), calls) == []


@pytest.mark.parametrize(("algorithm", "family"), families(ONE_OF_A_KIND if AT_WORK or EXPECTED else ()))
async def test_family_with_the_speed_extra(algorithm: str, family: str) -> None:
    require_speed()
    calls = CALLS if ALL else ("verify", "verify_compact") if algorithm == "EdDSA" else ("verify",)
    assert await Trial(forge_of(algorithm)).objections(cases(algorithm, family), calls) == []
