"""A fleet on Redis and one on PostgreSQL under random faults: their books must balance.

Twenty seconds; `nox -s soak` does it for ten minutes, or for as many seconds as it is told.
"""

import logging
from pathlib import Path

from tests.soak.audit import breaches
from tests.soak.soak import GROUNDS, soak

SECONDS = 15

_logger = logging.getLogger(__name__)


async def test_the_books_balance(tmp_path: Path) -> None:
    books = await soak(SECONDS, tmp_path)
    for name, of_one in books.items():
        _logger.info("%s\n%s", name, of_one.summary())
    assert {name: breaches(of_one) for name, of_one in books.items()} == {name: [] for name in GROUNDS}
    for of_one in books.values():
        assert len(of_one.of_kind("fault")) >= 3
        assert of_one.fates()["granted"] >= 3
    assert len(books["redis"].losses) == 1
