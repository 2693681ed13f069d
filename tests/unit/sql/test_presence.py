"""Looking for tables makes none, and no file."""

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.keys import Plaintext, SQLKeyProvider
from mintkey.replay import SQLReplayStore
from mintkey.sql.presence import tables_at

RINGS = {"mintkey_mints", "mintkey_rings"}


async def make_ring(url):
    async with SQLKeyProvider(url, sealer=Plaintext()) as keys:
        await keys.versions()


async def test_a_file_that_is_not_there_stays_away(tmp_path):
    assert await tables_at(f"sqlite:///{tmp_path}/x.db") == frozenset()
    assert await tables_at(f"sqlite:///{tmp_path}/missing/x.db") == frozenset()
    assert list(tmp_path.iterdir()) == []


async def test_memory_has_no_tables():
    assert await tables_at("sqlite://") == frozenset()


async def test_the_tables_of_a_file_are_found(tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    await make_ring(url)
    assert await tables_at(url) >= RINGS
    async with SQLReplayStore(url):
        assert await tables_at(url) >= RINGS | {"mintkey_marks"}


async def test_the_tables_of_a_server_are_found_and_none_are_made(postgres):
    assert await tables_at(postgres.url) == frozenset()
    assert await tables_at(postgres.url) == frozenset()
    await make_ring(postgres.url)
    assert await tables_at(postgres.url) >= RINGS


async def test_a_damaged_file_is_an_outage(tmp_path):
    (tmp_path / "x.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(KeyProviderError, match="cannot be used"):
        await tables_at(f"sqlite:///{tmp_path}/x.db")


async def test_a_server_that_is_away_is_an_outage_without_a_password():
    with pytest.raises(KeyProviderError, match="cannot be used") as caught:
        await tables_at("postgresql://u:hunter2@127.0.0.1:1/d")
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("url", ["nonsense hunter2", "postgresql://u:hunter2@h:hunter2/d", "mysql://u:hunter2@h/d"])
async def test_a_wrong_url_is_not_quoted(url):
    with pytest.raises(ConfigurationError) as caught:
        await tables_at(url)
    assert "hunter2" not in repr(caught.value)
