"""The key file beside a database is made once, with it, and guarded."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mintkey.cli import seal_file
from mintkey.cli.seal_file import sealer_beside
from mintkey.errors import ConfigurationError, KeyProviderError


@pytest.fixture
def database(tmp_path):
    return tmp_path / "keys.db"


@pytest.fixture
def key_file(database):
    sealer_beside(database)
    return database.with_name("keys.db.key")


def test_the_file_is_made_private_and_leaves_nothing_else(database, key_file):
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert list(database.parent.iterdir()) == [key_file]


def test_the_same_file_opens_what_it_sealed(database):
    sealed = sealer_beside(database).seal(b"private", aad=b"")
    database.touch()

    assert sealer_beside(database).open(sealed, aad=b"") == b"private"


def test_of_several_processes_one_makes_it(database):
    with ThreadPoolExecutor(8) as pool:
        sealers = list(pool.map(sealer_beside, [database] * 8))

    sealed = sealers[0].seal(b"private", aad=b"")
    assert {sealer.open(sealed, aad=b"") for sealer in sealers} == {b"private"}


def test_whoever_comes_second_takes_what_is_there(database, monkeypatch):
    link = os.link

    def somebody_is_faster(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", somebody_is_faster)

    sealer_beside(database)

    assert [path.name for path in database.parent.iterdir()] == ["keys.db.key"]


def test_a_database_that_lost_its_key_file_gets_no_new_one(database):
    database.touch()

    with pytest.raises(ConfigurationError, match="restore it, or set MINTKEY_SEAL_KEYS"):
        sealer_beside(database)
    assert not database.with_name("keys.db.key").exists()


def test_whoever_finds_a_database_in_the_making_looks_for_the_key_again(database, key_file, monkeypatch):
    database.touch()
    answers = [None, key_file.read_text("ascii")]
    monkeypatch.setattr(seal_file, "_read", lambda path: answers.pop(0))

    sealer_beside(database)

    assert not answers


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"A" * 100_000])
def test_a_damaged_file_is_named_and_not_quoted(database, key_file, content):
    database.touch()
    key_file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"keys\.db\.key holds no seal key") as caught:
        sealer_beside(database)
    assert "AAAA" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(database, key_file):
    key_file.chmod(0o644)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        sealer_beside(database)


def test_a_link_is_refused(database, key_file):
    key_file.rename(key_file.with_suffix(".elsewhere"))
    key_file.symlink_to(key_file.with_suffix(".elsewhere"))

    with pytest.raises(ConfigurationError, match="symbolic link"):
        sealer_beside(database)


def test_a_pipe_is_refused_and_not_waited_for(database):
    os.mkfifo(database.with_name("keys.db.key"), 0o600)

    with pytest.raises(ConfigurationError, match="no regular file"):
        sealer_beside(database)


def test_somebody_elses_file_is_refused(database, key_file, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(ConfigurationError, match="belongs to user"):
        sealer_beside(database)


def test_a_place_that_cannot_be_used_is_a_backend_that_fails(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(KeyProviderError, match="cannot be used: Not a directory"):
        sealer_beside(tmp_path / "file" / "keys.db")
    with pytest.raises(KeyProviderError, match="cannot be used: No such file"):
        sealer_beside(tmp_path / "missing" / "keys.db")
