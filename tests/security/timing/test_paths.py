"""Whatever is wrong with a secret, our code takes the same path, instruction by instruction."""

import pytest

from tests.security.timing.paths import path_of
from tests.security.timing.questions import OPEN, SECRET, naive


@pytest.mark.parametrize("name", SECRET)
def test_a_wrong_signature_takes_the_same_path_wherever_it_differs(name: str) -> None:
    one, other = SECRET[name].ask()
    for call in (one, other):
        call()  # what is done once is done
    path = path_of(one)
    assert len(path) > 10
    assert path == path_of(other)
    assert path == path_of(one)


def test_a_comparison_byte_by_byte_takes_another() -> None:
    one, other = naive()
    assert path_of(one) != path_of(other)


@pytest.mark.parametrize("name", OPEN)
def test_an_unknown_kid_takes_a_shorter_one(name: str) -> None:
    unknown, known = OPEN[name].ask()
    for call in (unknown, known):
        call()
    assert path_of(unknown) != path_of(known)
