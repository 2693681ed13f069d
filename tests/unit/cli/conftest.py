"""A command line whose data directory is new and whose environment says nothing but the issuer."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mintkey.cli.app import app
from mintkey.keys import Sealer

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
def answer(mintkey: Run) -> Callable[..., Any]:
    """What a command answers to a program, if it succeeds without a word on stderr."""

    def answer(*arguments: str, stdin: bytes | str = b"") -> Any:
        result = mintkey(*arguments, "--json", stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return json.loads(result.stdout)

    return answer


@pytest.fixture
def seal_keys(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """`MINTKEY_SEAL_KEYS` is set to one key."""
    key = Sealer.generate_key()
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", key)
    return key


@pytest.fixture(params=["sqlite", "file", "redis", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path, seal_keys: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """`MINTKEY_STORE` is an empty store, of each kind."""
    servers = {"redis": "valkey", "postgresql": "postgres"}
    url = {"sqlite": f"sqlite:///{tmp_path}/own.db", "file": f"file://{tmp_path}/ring"}.get(request.param)
    url = url or request.getfixturevalue(servers[request.param]).url
    monkeypatch.setenv("MINTKEY_STORE", url)
    return url


@pytest.fixture
def locked_store(mintkey: Run, data_home: Path):
    """The default store, while another program holds its lock."""
    assert mintkey("keys", "list").exit_code == 0
    connection = sqlite3.connect(data_home / "mintkey.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    yield data_home / "mintkey.db"
    connection.close()
