"""A command line whose data directory is new and whose environment says nothing but the issuer."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mintkey.cli.app import app

Run = Callable[..., Result]


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the default store will be, once something was stored."""
    for name in [name for name in os.environ if name.startswith("MINTKEY_")]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("MINTKEY_ISSUER", "https://myapp.example")
    return tmp_path / "data" / "mintkey"


@pytest.fixture
def mintkey(data_home: Path) -> Run:
    """Run a command in this process; stdin is what is given, and no terminal."""

    def run(*arguments: str, stdin: bytes | str = b"") -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def locked_store(mintkey: Run, data_home: Path):
    """The default store, while another program holds its lock."""
    assert mintkey("keys", "list").exit_code == 0
    connection = sqlite3.connect(data_home / "mintkey.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    yield data_home / "mintkey.db"
    connection.close()
