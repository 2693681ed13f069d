"""What is missing is named, with the command that brings it."""

import sys

import pytest

from mintkey.errors import MissingExtraError, Reason


@pytest.mark.parametrize("module", ["mintkey.sql", "mintkey.keys.sql", "mintkey.replay.sql"])
def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [name for name in sys.modules if name.startswith("mintkey.") and "sql" in name]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[sql\]'") as caught:
        __import__(module)
    assert caught.value.reason is Reason.EXTRA_MISSING
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("url", "driver"), [("sqlite://", "aiosqlite"), ("postgresql://user@127.0.0.1/database", "asyncpg")]
)
def test_without_a_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, url: str, driver: str) -> None:
    from mintkey.keys.stores.sql import SQLKeyRingStore

    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingExtraError, match=rf"{driver}.*pip install 'mintkey\[sql\]'"):
        SQLKeyRingStore(url)
