"""Where keys and marks are, and what happens when they cannot be had."""

import json
import sqlite3
import stat

import pytest

from mintkey.keys import Sealer


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_default_is_a_private_file_sealed_by_a_key_file(mintkey, data_home):
    assert mintkey("token", "mint", "magic-link").exit_code == 0

    assert mode(data_home) == 0o700
    assert {path.name for path in data_home.iterdir()} >= {"mintkey.db", "mintkey.db.key"}
    assert {mode(path) for path in data_home.iterdir()} == {0o600}


def test_private_keys_are_sealed_in_the_database(mintkey, data_home):
    mintkey("keys", "list")

    with sqlite3.connect(data_home / "mintkey.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert b"sealed1." in b"".join(path.read_bytes() for path in data_home.glob("mintkey.db*"))
    assert "plain1." not in dump


def test_seal_keys_of_the_operator_need_no_key_file(mintkey, data_home, monkeypatch):
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", Sealer.generate_key())

    assert mintkey("keys", "list").exit_code == 0
    assert not (data_home / "mintkey.db.key").exists()


def test_a_ring_sealed_under_other_keys_does_not_open(mintkey, monkeypatch):
    mintkey("keys", "list")
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", Sealer.generate_key())

    result = mintkey("token", "mint", "magic-link")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "MINTKEY_SEAL_KEYS" in result.stderr


def test_a_sealed_database_without_its_keys_is_a_configuration_to_be_mended(mintkey, monkeypatch):
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", Sealer.generate_key())
    mintkey("keys", "list")
    monkeypatch.delenv("MINTKEY_SEAL_KEYS")

    result = mintkey("keys", "list")

    assert result.exit_code == 2
    assert "restore it, or set MINTKEY_SEAL_KEYS" in result.stderr


def test_a_database_of_ones_own_has_its_key_file_beside_it(mintkey, tmp_path, data_home):
    result = mintkey("keys", "list", "--store", f"sqlite:///{tmp_path}/own.db")

    assert result.exit_code == 0
    assert mode(tmp_path / "own.db") == mode(tmp_path / "own.db.key") == 0o600
    assert not data_home.exists()


def test_a_directory_holds_a_ring_too(mintkey, tmp_path, monkeypatch):
    monkeypatch.setenv("MINTKEY_STORE", f"file://{tmp_path}/ring")

    minted = mintkey("token", "mint", "access", "--subject", "20")

    assert minted.exit_code == 0
    assert mintkey("token", "verify", "access", stdin=minted.stdout).exit_code == 0


@pytest.mark.parametrize("any_store", ["redis", "postgresql"], indirect=True)
def test_a_fleet_shares_a_server(any_store, mintkey):
    token = mintkey("token", "mint", "magic-link", "--subject", "20").stdout

    assert mintkey("token", "verify", "magic-link", stdin=token).exit_code == 0
    assert mintkey("token", "verify", "magic-link", stdin=token).exit_code == 1


@pytest.mark.parametrize(
    "url", ["redis://u:hunter2@h", "redis+cluster://h", "postgresql://u:hunter2@h/d", "postgres://h"]
)
def test_a_server_takes_sealed_keys_only(mintkey, url):
    result = mintkey("keys", "list", "--store", url)

    assert result.exit_code == 2
    assert "MINTKEY_SEAL_KEYS" in result.stderr
    assert "mintkey keys seal-key" in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "postgresql://u:hunter2@127.0.0.1:1/d"])
def test_a_server_that_is_away_is_3(mintkey, seal_keys, url):
    result = mintkey("keys", "list", "--store", url, "--json")

    assert (result.exit_code, result.stdout) == (3, "")
    assert json.loads(result.stderr)["error"]["retryable"] is True
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user:hunter2@host/x", "configuration"),
        ("nonsense", "configuration"),
        ("sqlite://", "configuration"),
        ("sqlite:///:memory:", "configuration"),
        ("redis+nonsense://h", "configuration"),
    ],
)
def test_a_wrong_store_is_2_and_named_without_its_password(mintkey, url, reason):
    result = mintkey("keys", "list", "--json", "--store", url)

    assert result.exit_code == 2
    error = json.loads(result.stderr)["error"]
    assert (error["reason"], "--store" in error["message"]) == (reason, True)
    assert "hunter2" not in result.stderr


def test_a_policy_that_does_not_fit_is_named(mintkey, monkeypatch):
    monkeypatch.setenv("MINTKEY_PUBLISH_AHEAD", "1s")

    result = mintkey("keys", "list")

    assert result.exit_code == 2
    assert "publish_ahead" in result.stderr


def test_a_data_directory_that_cannot_be_made_is_3(mintkey, data_home):
    data_home.parent.write_text("a file where a directory should be")

    result = mintkey("keys", "list")

    assert result.exit_code == 3
    assert "keys_unavailable" in result.stderr
    assert "or give --store" in result.stderr


def test_a_data_directory_that_others_can_read_is_refused(mintkey, data_home):
    data_home.mkdir(parents=True, mode=0o755)

    result = mintkey("keys", "list")

    assert result.exit_code == 2
    assert "chmod 700" in result.stderr


def test_a_missing_directory_is_3(mintkey, tmp_path):
    result = mintkey("keys", "list", "--store", f"sqlite:///{tmp_path}/missing/x.db")

    assert result.exit_code == 3
    assert "No such file or directory" in result.stderr


def test_a_damaged_database_is_3(mintkey, data_home):
    mintkey("keys", "list")
    for path in data_home.glob("mintkey.db*"):
        if path.suffix != ".key":
            path.write_bytes(b"this is no database, whatever its name says " * 100)

    result = mintkey("keys", "list")

    assert result.exit_code == 3
    assert result.stderr.startswith("mintkey: keys_unavailable: ")


def test_a_locked_store_is_3_and_may_be_tried_again(mintkey, locked_store):
    result = mintkey("token", "mint", "magic-link", "--json")

    assert (result.exit_code, result.stdout) == (3, "")
    assert json.loads(result.stderr)["error"]["retryable"] is True
