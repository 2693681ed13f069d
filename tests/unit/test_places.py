"""From a URL to a whole service: one place for keys and marks, or an error that says which URLs there are."""

import sys
from datetime import timedelta

import pytest

from mintkey import ConfigurationError, MissingExtraError, Purpose, TokenReplayedError, TokenService
from mintkey.errors import UnsupportedOperationError
from mintkey.keys import Plaintext, RotationPolicy, Sealer
from mintkey.replay import MemoryReplayStore, SQLReplayStore

LINK = Purpose("link", lifetime=timedelta(minutes=1), single_use=True)


def sealed():
    return Sealer([Sealer.generate_key()])


@pytest.mark.parametrize("scheme", ["memory", "file", "sqlite"])
async def test_a_service_from_a_url_mints_and_spends(scheme, tmp_path):
    url = {
        "memory": "memory://",
        "file": f"file://{tmp_path / 'a ring'}".replace(" ", "%20"),
        "sqlite": f"sqlite:///{tmp_path / 'tokens.db'}",
    }[scheme]
    async with TokenService.from_url(
        url, issuer="i", sealer=sealed(), policy=RotationPolicy(previous_ttl=timedelta(hours=1))
    ) as tokens:
        token = await tokens.mint(LINK)
        assert await tokens.verify(token, LINK)
        with pytest.raises(TokenReplayedError):
            await tokens.verify(token, LINK)
        assert (await tokens.health()).ok
        assert tokens._provider.max_token_age == timedelta(hours=1)
        assert isinstance(tokens._replay, MemoryReplayStore if scheme == "memory" else SQLReplayStore)


async def test_a_second_process_shares_the_place(tmp_path):
    url, sealer = f"sqlite:///{tmp_path / 'tokens.db'}", sealed()
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as first:
        token = await first.mint(LINK)
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as second:
        assert await second.verify(token, LINK)
    async with TokenService.from_url(url, issuer="i", sealer=sealer) as third:
        with pytest.raises(TokenReplayedError):
            await third.verify(token, LINK)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://x", "file://", "file:///", "file://relative", "sqlite://", "sqlite:", "mysql://x"]
)
def test_a_url_that_names_no_place_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"sqlite:///file\.db|file:///directory"):
        TokenService.from_url(url, issuer="i", sealer=Plaintext())


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://localhost", "postgresql://localhost/x"])
def test_a_place_without_a_key_ring_says_so(url):
    with pytest.raises(UnsupportedOperationError, match="no key ring"):
        TokenService.from_url(url, issuer="i")


def test_a_database_takes_no_open_keys_by_accident(tmp_path):
    with pytest.raises(ConfigurationError, match="sealer"):
        TokenService.from_url(f"sqlite:///{tmp_path / 'x.db'}", issuer="i")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("mintkey.sql", "sqlalchemy"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("mintkey.keys.sql", "mintkey.replay.sql", "mintkey.keys.stores.sql"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtraError, match=r"mintkey\[sql\]"):
        TokenService.from_url(f"sqlite:///{tmp_path / 'x.db'}", issuer="i", sealer=sealed())
