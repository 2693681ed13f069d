"""The room's public names: each is imported when it is asked for, and is what it is called."""

import pytest

from mintkey import replay


@pytest.mark.parametrize("name", replay.__all__)
def test_a_public_name_is_that_of_what_it_names(name: str) -> None:
    assert getattr(replay, name).__name__ == name


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = replay.Nothing
