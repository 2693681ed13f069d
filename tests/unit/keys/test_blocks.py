"""How many mints a process sets aside."""

import pytest

from mintkey.jose.jwk import generate
from mintkey.jose.prepared import signing_key
from mintkey.keys.blocks import MintBlock, next_size, reservation


def test_a_block_gives_what_is_left() -> None:
    key = signing_key(generate("EdDSA"))
    block = MintBlock.of(key, 5, began_at=0.0)
    grants = [block.take(want) for want in (1, 3, 3)]
    assert [(grant.key, grant.count) for grant in grants if grant] == [(key, 1), (key, 3), (key, 1)]
    assert block.take(1) is None


@pytest.mark.parametrize(
    ("size", "used", "lasted", "then"),
    [
        (1, 1, 0.0, 16),
        (16, 8, 0.1, 256),
        (256, 128, 2.4, 4096),
        (3000, 1500, 30.0, 6000),
        (6000, 3000, 60.0, 6000),
        (6000, 3000, 600.0, 3000),
        (16_384, 8192, 0.1, 16_384),
        (1, 1, 999.0, 1),
        (2, 2, 1e9, 1),
    ],
)
def test_a_size_follows_the_pace(size: int, used: int, lasted: float, then: int) -> None:
    """Two minutes' worth, soon after the pace is known."""
    assert next_size(size, used=used, lasted=lasted) == then


def test_a_size_starts_at_one_and_grows_to_16384() -> None:
    sizes = [1]
    while sizes[-1] < 16_384:
        sizes.append(next_size(sizes[-1], used=1, lasted=0.0))
    assert sizes == [1, 16, 256, 4096, 16_384]


@pytest.mark.parametrize(("size", "asks_at"), [(1, None), (3, None), (4, 2), (7, 3), (4096, 2048)])
def test_the_next_block_is_asked_for_before_this_one_is_used_up(size: int, asks_at: int | None) -> None:
    block = MintBlock.of(signing_key(generate("EdDSA")), size, began_at=0.0)
    low = [block.left for _ in range(size) if block.take(1) and block.is_low]
    assert low == ([] if asks_at is None else list(range(asks_at, -1, -1)))


def test_without_a_cap_the_size_decides() -> None:
    assert reservation(64, waiting=1, left=None) == 64


@pytest.mark.parametrize(("left", "asked"), [(2_000_000, 16_384), (6400, 100), (640, 10), (127, 1), (3, 1), (0, 1)])
def test_blocks_shrink_towards_the_cap(left: int, asked: int) -> None:
    """So that little is wasted by a process that crashes."""
    assert reservation(16_384, waiting=1, left=left) == asked


def test_what_is_waited_for_is_not_wasted() -> None:
    assert reservation(1, waiting=200, left=7) == 200
    assert reservation(1, waiting=50_000, left=None) == 16_384
