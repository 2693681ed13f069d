"""How many mints a process sets aside."""

import pytest

from mintkey.jose.jwk import generate
from mintkey.jose.prepared import signing_key
from mintkey.keys.blocks import MintBlock, next_size, reservation


def test_a_block_gives_what_is_left() -> None:
    key = signing_key(generate("EdDSA"))
    block = MintBlock(key, left=5, began_at=0.0)
    grants = [block.take(want) for want in (1, 3, 3)]
    assert [(grant.key, grant.count) for grant in grants if grant] == [(key, 1), (key, 3), (key, 1)]
    assert block.take(1) is None


@pytest.mark.parametrize(
    ("size", "lasted", "then"),
    [(1, 0.0, 2), (512, 0.9, 1024), (1024, 0.0, 1024), (8, 1.0, 8), (8, 10.0, 8), (8, 10.1, 4), (1, 99.0, 1)],
)
def test_a_size_follows_the_pace(size: int, lasted: float, then: int) -> None:
    assert next_size(size, lasted=lasted) == then


def test_a_size_starts_at_one_and_grows_to_1024() -> None:
    sizes = [1]
    while sizes[-1] < 1024:
        sizes.append(next_size(sizes[-1], lasted=0.1))
    assert sizes == [2**n for n in range(11)]


def test_without_a_cap_the_size_decides() -> None:
    assert reservation(64, waiting=1, left=None) == 64


@pytest.mark.parametrize(("left", "asked"), [(1_000_000, 1024), (6400, 100), (640, 10), (127, 1), (3, 1), (0, 1)])
def test_blocks_shrink_towards_the_cap(left: int, asked: int) -> None:
    """So that little is wasted by a process that crashes."""
    assert reservation(1024, waiting=1, left=left) == asked


def test_what_is_waited_for_is_not_wasted() -> None:
    assert reservation(1, waiting=200, left=7) == 200
    assert reservation(1, waiting=5000, left=None) == 1024
