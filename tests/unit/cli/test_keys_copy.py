"""`mintkey keys copy`: a ring moves, and no token is rejected for it."""

import pytest

from mintkey.keys import MemoryKeyProvider, Sealer
from mintkey.keys.copying import copy_ring


@pytest.fixture
def token(mintkey):
    result = mintkey("token", "mint", "access", "--subject", "20")
    assert result.exit_code == 0, result.output
    return result.stdout


def kids(answer, *where):
    return [version["kid"] for version in answer("keys", "list", *where)["keys"]]


def test_from_any_store_to_another(any_store, mintkey, answer, token, tmp_path):
    to = f"sqlite:///{tmp_path}/new.db"

    copied = answer("keys", "copy", "--to", to)

    assert set(copied) == {"versions", "added", "revision"}
    assert (copied["versions"], copied["added"]) == (2, 2)
    assert kids(answer, "--store", to) == kids(answer)
    assert mintkey("token", "verify", "access", "--store", to, stdin=token).exit_code == 0
    new = mintkey("token", "mint", "access", "--subject", "20", "--store", to).stdout
    assert mintkey("token", "verify", "access", stdin=new).exit_code == 0
    assert not (tmp_path / "new.db.key").exists()


def test_to_any_store(any_store, mintkey, answer, tmp_path):
    source = f"sqlite:///{tmp_path}/old.db"
    token = mintkey("token", "mint", "access", "--subject", "20", "--store", source).stdout

    result = mintkey("keys", "copy", "--store", source, "--to", any_store)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("✓ 2 versions there now, 2 of them new\n")
    assert f"  from  {source}\n" in result.stdout
    assert mintkey("token", "verify", "access", stdin=token).exit_code == 0


def test_a_copy_may_be_repeated(mintkey, answer, seal_keys, tmp_path):
    to = f"file://{tmp_path}/ring"
    mintkey("keys", "list")
    mintkey("keys", "copy", "--to", to)
    mintkey("keys", "rotate", "--yes")

    assert answer("keys", "copy", "--to", to)["added"] == 1
    assert answer("keys", "copy", "--to", to)["added"] == 0
    assert kids(answer, "--store", to) == kids(answer)


def test_the_target_may_be_sealed_otherwise(mintkey, answer, token, tmp_path, monkeypatch):
    key = Sealer.generate_key()
    monkeypatch.setenv("NEW_KEYS", key)
    to = f"file://{tmp_path}/ring"

    answer("keys", "copy", "--to", to, "--to-seal-keys-from", "NEW_KEYS")

    assert mintkey("keys", "list", "--store", to).exit_code == 3
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", key)
    assert mintkey("token", "verify", "access", "--store", to, stdin=token).exit_code == 0


def test_a_database_gets_a_key_file_of_its_own(mintkey, answer, token, tmp_path):
    to = f"sqlite:///{tmp_path}/new.db"

    answer("keys", "copy", "--to", to)

    assert (tmp_path / "new.db.key").exists()
    assert mintkey("token", "verify", "access", "--store", to, stdin=token).exit_code == 0


def test_an_open_directory_may_be_copied_to_where_it_is_sealed(mintkey, tmp_path, monkeypatch):
    monkeypatch.setenv("MINTKEY_STORE", f"file://{tmp_path}/ring")
    token = mintkey("token", "mint", "access", "--subject", "20").stdout
    to = f"sqlite:///{tmp_path}/new.db"

    assert mintkey("keys", "copy", "--to", to).exit_code == 0
    assert mintkey("token", "verify", "access", "--store", to, stdin=token).exit_code == 0


def test_sealed_keys_are_not_laid_open(mintkey, answer, token, tmp_path):
    result = mintkey("keys", "copy", "--to", f"file://{tmp_path}/ring")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "would lie open there" in result.stderr
    assert not (tmp_path / "ring").exists()


def test_the_cap_is_divided(mintkey, answer, seal_keys, tmp_path, monkeypatch):
    monkeypatch.setenv("MINTKEY_MAX_MINTS", "100")
    to = f"sqlite:///{tmp_path}/new.db"
    mintkey("token", "mint", "access", "--subject", "20")

    answer("keys", "copy", "--to", to)

    here, there = (answer("keys", "list", *where)["keys"][1]["mints"] for where in ([], ["--store", to]))
    assert (100 - here) + (100 - there) <= 99


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--to"),
        (["--to", ""], "from --to and MINTKEY_*: the URL names no place"),
        (["--to", "nonsense"], "from --to and MINTKEY_*: the URL names no place"),
        (["--to", "sqlite://:memory:"], "--to must name a file"),
        (["--to", "redis://u:hunter2@h"], "keeps private keys sealed only"),
        (["--to", "sqlite:///{}/x.db", "--to-seal-keys-from", "NOT_SET"], "NOT_SET is not set"),
        (["--to", "sqlite:///{}/x.db", "--to-seal-keys-from", "BAD"], "BAD cannot be used"),
        (["--to", "sqlite:///{}/data/mintkey/mintkey.db"], "--to is --store"),
    ],
)
def test_wrong_settings_are_2_and_copy_nothing(mintkey, tmp_path, monkeypatch, arguments, said):
    monkeypatch.setenv("BAD", "hunter2")
    mintkey("keys", "list")

    result = mintkey("keys", "copy", *(argument.format(tmp_path) for argument in arguments))

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "hunter2" not in result.stderr
    assert not (tmp_path / "x.db").exists()


def test_where_there_is_nothing_nothing_is_copied_and_nothing_made(mintkey, data_home, tmp_path):
    result = mintkey("keys", "copy", "--to", f"sqlite:///{tmp_path}/new.db")

    assert result.exit_code == 2
    assert "holds no ring that could be copied" in result.stderr
    assert not data_home.exists()
    assert not (tmp_path / "new.db").exists()


def test_a_ring_that_is_not_there_cannot_be_copied(mintkey, tmp_path):
    mintkey("keys", "list")

    result = mintkey("keys", "copy", "--ring", "another", "--to", f"sqlite:///{tmp_path}/new.db")

    assert result.exit_code == 2
    assert "no ring 'another'" in result.stderr


async def test_whoever_copies_is_told_how_far_it_is():
    told = []
    async with MemoryKeyProvider() as here, MemoryKeyProvider() as there:
        await here.acquire()
        await here.rotate()

        await copy_ring(here, there, max_mints=None, progress=lambda *how_far: told.append(how_far))

    assert told == [(1, 3), (2, 3), (3, 3)]
