"""Every check we know has a unit and a remedy; one that we do not know is printed all the same."""

import pytest

from mintkey.cli.doctor.advice import advice_on, figure_of, unit_of
from mintkey.health import Check


def check(figure, *, ok=True):
    return Check(ok=ok, word="word", figure=figure)


@pytest.mark.parametrize(
    ("name", "figure", "shown"),
    [
        ("keys", 1, "1 version"),
        ("keys", 2, "2 versions"),
        ("keys", 0, "0 versions"),
        ("keys.store", 1.2345, "1.2 ms"),
        ("replay", 0, ""),
        ("keys.ring", 2.25, "2.2 s"),
        ("keys.rotation", 4000, "1 h 6 min"),
        ("keys.successor", 0, ""),
        ("keys.clock", -3.04, "-3.0 s"),
        ("keys.clock", -90, "-1 min 30 s"),
        ("keys.eviction", 0.123, "12% of its memory"),
        ("replay.eviction", 0, ""),
        ("keys.role", 1, "1 replica"),
        ("replay.role", 2, "2 replicas"),
        ("replay.role", 0, ""),
        ("keys.durability", 0, ""),
        ("keys.something", 1.50, "1.5"),
    ],
)
def test_a_figure_has_its_unit(name, figure, shown):
    assert figure_of(name, check(figure)) == shown


def test_programs_are_told_the_unit():
    assert (unit_of("keys.store"), unit_of("keys.durability"), unit_of("new.thing")) == ("ms", None, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("keys", "MINTKEY_SEAL_KEYS"),
        ("keys.store", "--store"),
        ("keys.ring", "keys.store"),
        ("keys.rotation", "mintkey keys rotate"),
        ("keys.successor", "next version"),
        ("keys.clock", "NTP"),
        ("keys.eviction", "noeviction"),
        ("replay.eviction", "noeviction"),
        ("keys.role", "redis+sentinel://"),
        ("replay.role", "redis+sentinel://"),
        ("keys.durability", "synchronous_commit"),
        ("replay.durability", "synchronous_commit"),
        ("replay", "single use"),
        ("something.new", "logs"),
    ],
)
def test_what_is_not_ok_comes_with_what_to_do(name, said):
    assert said in advice_on(name, check(0, ok=False))
    assert advice_on(name, check(0)) is None
