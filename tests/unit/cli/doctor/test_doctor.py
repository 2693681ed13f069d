"""`mintkey doctor` looks at everything, changes nothing, and says what to do."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from importlib import metadata
from types import SimpleNamespace

import anyio
import pytest

from mintkey import speed
from mintkey.cli.doctor import facts
from mintkey.cli.seal_file import sealer_beside
from mintkey.jose import sodium
from mintkey.jose.jwk import generate
from mintkey.keys import RotationPolicy, Sealer, SQLKeyProvider
from mintkey.testing import FakeClock

KEYS = ["keys", "keys.store", "keys.ring", "keys.rotation", "keys.successor", "keys.clock"]


def examined(result):
    assert result.stderr == ""
    return json.loads(result.stdout)


def everything_in(directory):
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in directory.rglob("*")}


def test_a_healthy_store(any_store, mintkey, answer):
    mintkey("token", "mint", "magic-link", "--subject", "20")

    found = answer("doctor")
    result = mintkey("doctor")

    assert (found["ok"], found["ring"]) == (True, "there")
    assert list(found["checks"])[:2] == ["keys", "keys.store"]
    assert set(found["checks"]) >= {*KEYS, "replay"}
    assert all(check["ok"] and check["advice"] is None for check in found["checks"].values())
    assert (found["checks"]["keys"]["word"], found["checks"]["keys"]["unit"]) == ("active", "versions")
    assert found["checks"]["replay"]["word"] == "ready"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("✓ all is well\n")
    for name in found["checks"]:
        assert f"✓  {name} " in result.stdout


def test_a_store_without_a_ring_stays_without(any_store, answer, mintkey, tmp_path):
    for _ in range(2):
        found = answer("doctor")
        assert (found["ok"], found["ring"]) == (True, "none")
        assert "There is no ring yet: the first mint makes it." in found["notes"]
        assert "keys.store" in found["checks"]
        assert not {"keys", "keys.ring", "keys.rotation", "keys.successor"} & set(found["checks"])
    assert mintkey("doctor").stdout.endswith("✓ all is well; no ring yet\n")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".db", ".ring", ".key"}]


def test_it_makes_no_table_and_no_key_on_a_server(valkey, postgres, seal_keys, mintkey):
    assert mintkey("doctor", "--store", valkey.url).exit_code == 0
    assert mintkey("doctor", "--store", postgres.url).exit_code == 0

    assert valkey.command("DBSIZE") == 0
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'mintkey%'"
    assert postgres.server.sql(tables, postgres.name) == ["0"]


def test_it_makes_nothing_at_all_by_default(mintkey, data_home):
    result = mintkey("doctor")

    assert result.exit_code == 0
    assert not data_home.parent.exists()
    assert f"will be in the file {data_home}/mintkey.db.key  [default]" in result.stdout


def test_it_changes_nothing_that_is_there(mintkey, data_home, answer):
    mintkey("keys", "list")
    before = everything_in(data_home), answer("keys", "list")
    dumped = dump(data_home)

    assert answer("doctor")["checks"]["replay"]["word"] == "none"

    assert dump(data_home) == dumped
    assert set(everything_in(data_home)) == set(before[0])
    assert answer("keys", "list") == before[1]


def dump(data_home):
    connection = sqlite3.connect(data_home / "mintkey.db")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def make_ring(data_home, *, days_ago, policy, times=1):
    database = data_home / "mintkey.db"
    data_home.mkdir(parents=True, mode=0o700)
    clock = FakeClock(datetime.now(UTC) - timedelta(days=days_ago))
    keys = SQLKeyProvider(f"sqlite:///{database}", sealer=sealer_beside(database), clock=clock, policy=policy)

    async def work():
        async with keys:
            await keys.versions()
            for _ in range(times):
                await keys.rotate()
            await keys.acquire(100)

    anyio.run(work)


def test_an_overdue_rotation_is_reported_and_not_done(mintkey, data_home, answer):
    make_ring(data_home, days_ago=40, policy=RotationPolicy(), times=0)
    before = answer("keys", "list")

    result = mintkey("doctor")
    found = examined(mintkey("doctor", "--json"))

    assert result.exit_code == 3
    assert found["checks"]["keys.rotation"] | {"figure": 0} == {
        "ok": False,
        "word": "overdue",
        "figure": 0,
        "unit": "s",
        "advice": found["checks"]["keys.rotation"]["advice"],
    }
    assert "✗  keys.rotation " in result.stdout
    assert "  keys.rotation: A rotation is overdue" in result.stdout
    assert "✗ 1 of " in result.stdout
    assert answer("keys", "list") == before


def test_what_the_ring_shows_of_another_policy(mintkey, data_home, answer, monkeypatch):
    make_ring(data_home, days_ago=0.5, policy=RotationPolicy(previous_ttl=timedelta(days=2)))
    assert [note for note in answer("doctor")["notes"] if note.startswith("MINTKEY_")] == [
        (
            "MINTKEY_PREVIOUS_TTL is 1 d, and the last rotation gave the previous version 2 d: compare it with the "
            "application."
        )
    ]
    monkeypatch.setenv("MINTKEY_PREVIOUS_TTL", "2d")
    assert not [note for note in answer("doctor")["notes"] if note.startswith("MINTKEY_")]

    monkeypatch.setenv("MINTKEY_MAX_MINTS", "1")
    monkeypatch.setenv("MINTKEY_ALGORITHM", "ES256")
    different = [note.partition(",")[0] for note in answer("doctor")["notes"] if note.startswith("MINTKEY_")]
    assert sorted(different) == ["MINTKEY_ALGORITHM is ES256", "MINTKEY_MAX_MINTS is 1"]


@pytest.mark.parametrize("url", ["redis://app:hunter2@127.0.0.1:1/0", "postgresql://app:hunter2@127.0.0.1:1/d"])
def test_a_store_that_is_away_is_3_and_reported(mintkey, seal_keys, url):
    result = mintkey("doctor", "--store", url)
    found = examined(mintkey("doctor", "--json", "--store", url))

    assert result.exit_code == 3
    assert (found["ok"], found["ring"], set(found["checks"])) == (False, "unknown", {"keys.store"})
    assert found["checks"]["keys.store"]["word"] == "keys_unavailable"
    assert "keys.store: The store does not answer." in result.stdout
    assert "✗ 1 of 1 checks failed" in result.stdout
    assert found["notes"][0].startswith("What could not be read says: ")
    assert "hunter2" not in result.output + json.dumps(found)
    assert f"{url.partition(':')[0]}://app:***@127.0.0.1:1/" in result.stdout


def test_a_directory_that_is_not_there_is_3(mintkey, seal_keys, tmp_path):
    result = mintkey("doctor", "--store", f"sqlite:///{tmp_path}/missing/x.db")

    assert result.exit_code == 3
    # Without spaces: a long path is broken wherever the line ends.
    assert f"thereisnodirectory{tmp_path}/missing" in "".join(result.stdout.split())


def test_a_damaged_database_is_3(mintkey, data_home):
    mintkey("keys", "list")
    for path in data_home.glob("mintkey.db*"):
        if path.suffix != ".key":
            path.write_bytes(b"this is no database, whatever its name says " * 100)

    assert mintkey("doctor").exit_code == 3


def test_a_ring_that_was_sealed_otherwise_is_3(any_store, mintkey, monkeypatch):
    mintkey("keys", "list")
    monkeypatch.setenv("MINTKEY_SEAL_KEYS", Sealer.generate_key())

    found = examined(result := mintkey("doctor", "--json"))

    assert result.exit_code == 3
    assert found["ring"] == "there"
    assert found["checks"]["keys"]["ok"] is False
    assert "MINTKEY_SEAL_KEYS" in found["checks"]["keys"]["advice"]
    assert found["notes"][0].startswith("What could not be read says: ")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MINTKEY_MAX_MINTS", "many", "MINTKEY_MAX_MINTS must be a whole number"),
        ("MINTKEY_STORE", "nonsense", "names no place"),
        ("MINTKEY_STORE", "redis://h", "MINTKEY_SEAL_KEYS"),
        ("MINTKEY_RING", "a ring", "ring must be"),
        ("MINTKEY_PUBLISH_AHEAD", "1s", "publish_ahead"),
        ("MINTKEY_KEYS", "changeme", "MINTKEY_KEYS still holds a placeholder"),
        ("MINTKEY_SEAL_KEYS_FILE", "/nowhere/key", "MINTKEY_SEAL_KEYS_FILE names no file"),
    ],
)
def test_wrong_settings_are_2(mintkey, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)

    result = mintkey("doctor")

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_what_is_as_unsafe_as_a_wrong_setting_is_2_too(mintkey, tmp_path):
    (tmp_path / "ring").mkdir(mode=0o755)

    result = mintkey("doctor", "--store", f"file://{tmp_path}/ring")

    assert result.exit_code == 2
    assert "chmod 700" in result.stderr


def test_every_setting_says_where_it_comes_from(mintkey, data_home, monkeypatch):
    keys = [Sealer.generate_key() for _ in range(2)]
    for name, value in {
        "SEAL_KEYS": ",".join(keys),
        "AUDIENCE": "web,app",
        "LIFETIME": "5m",
        "ROTATE_EVERY": "never",
        "MAX_MINTS": "1000000",
        "REFRESH_INTERVAL": "10s",
    }.items():
        monkeypatch.setenv(f"MINTKEY_{name}", value)

    result = mintkey("doctor", "--ring", "payments")

    for line in (
        f"  store             sqlite:///{data_home}/mintkey.db  [default]\n",
        "  ring              payments  [--ring]\n",
        "  seal_keys         set (2 keys)  [MINTKEY_SEAL_KEYS]\n",
        "  issuer            https://myapp.example  [MINTKEY_ISSUER]\n",
        "  audience          web, app  [MINTKEY_AUDIENCE]\n",
        "  lifetime          5 min  [MINTKEY_LIFETIME]\n",
        "  rotate_every      never  [MINTKEY_ROTATE_EVERY]\n",
        "  max_mints         1,000,000  [MINTKEY_MAX_MINTS]\n",
        "  previous_ttl      1 d  [default]\n",
        "  refresh_interval  10 s  [MINTKEY_REFRESH_INTERVAL]\n",
    ):
        assert line in result.stdout
    assert not any(key in result.output for key in keys)


def test_secrets_in_files_are_read_and_not_shown(mintkey, tmp_path, monkeypatch):
    key = Sealer.generate_key()
    for name, text in {"store": f"sqlite:///{tmp_path}/own.db", "seal": f"{key}\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("MINTKEY_STORE_FILE", f"{tmp_path}/store")
    monkeypatch.setenv("MINTKEY_SEAL_KEYS_FILE", f"{tmp_path}/seal")

    result = mintkey("doctor")

    assert result.exit_code == 0
    assert f"  store             sqlite:///{tmp_path}/own.db  [MINTKEY_STORE_FILE]\n" in result.stdout
    assert "  seal_keys         set (1 key)  [MINTKEY_SEAL_KEYS_FILE]\n" in result.stdout
    assert key not in result.output


def test_keys_of_the_operator_are_told_of(mintkey, answer, tmp_path, monkeypatch):
    key, other = generate("EdDSA"), generate("ES256")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [dict(one.private_jwk) for one in (key, other)]}))
    monkeypatch.setenv("MINTKEY_KEYS", f"{tmp_path}/keys.json")
    monkeypatch.setenv("MINTKEY_ACTIVE_KID", key.kid)

    found = answer("doctor")

    assert found["settings"]["keys"] == {"value": f"{tmp_path}/keys.json", "from": "MINTKEY_KEYS"}
    assert found["settings"]["active_kid"] == {"value": key.kid, "from": "MINTKEY_ACTIVE_KID"}
    assert any(f"signs with {key.kid}, one of 2 keys there" in note for note in found["notes"])

    monkeypatch.setenv("MINTKEY_ACTIVE_KID", "another")
    result = mintkey("doctor")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "MINTKEY_ACTIVE_KID" in result.stderr


def test_the_only_key_of_the_operator(answer, monkeypatch):
    jwk = {name: value for name, value in generate("ES256").private_jwk.items() if name != "alg"}
    monkeypatch.setenv("MINTKEY_KEYS", json.dumps(jwk))
    monkeypatch.setenv("MINTKEY_ALGORITHM", "ES256")

    found = answer("doctor")

    assert found["settings"]["keys"] == {"value": "set (JSON)", "from": "MINTKEY_KEYS"}
    assert any("the only key there" in note for note in found["notes"])
    assert jwk["d"] not in json.dumps(found)


def test_where_the_operator_rotates_a_server_need_hold_no_more_than_marks(
    valkey, postgres, mintkey, answer, monkeypatch
):
    monkeypatch.setenv("MINTKEY_KEYS", json.dumps(dict(generate("EdDSA").private_jwk)))

    for url in (valkey.url, postgres.url):
        found = answer("doctor", "--store", url)
        assert (found["ok"], found["ring"]) == (True, "unused")
        assert all(name.startswith("replay") for name in found["checks"])
        assert "replay" in found["checks"]
        assert not any("ring yet" in note for note in found["notes"])

    valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert mintkey("doctor", "--store", valkey.url).exit_code == 3
    finally:
        valkey.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    # Every other command works on a ring, which a server keeps sealed only.
    assert mintkey("keys", "list", "--store", valkey.url).exit_code == 2


def test_a_misspelt_variable_is_pointed_out(answer, monkeypatch):
    monkeypatch.setenv("MINTKEY_ROTATE_EVRY", "7d")

    notes = answer("doctor")["notes"]

    assert "MINTKEY_ROTATE_EVRY is no setting and has no effect: is MINTKEY_ROTATE_EVERY meant?" in notes


def test_one_seal_key_is_one_key(mintkey, seal_keys):
    assert "set (1 key)" in mintkey("doctor").stdout


def test_the_key_file_beside_the_database_is_pointed_out(mintkey, data_home, answer):
    mintkey("keys", "list")

    found = answer("doctor")

    assert found["settings"]["seal_keys"] == {"value": f"in the file {data_home}/mintkey.db.key", "from": "default"}
    assert any(f"lies in {data_home}/mintkey.db.key, beside the database" in note for note in found["notes"])


def test_open_keys_in_a_directory_are_pointed_out(mintkey, answer, tmp_path):
    found = answer("doctor", "--store", f"file://{tmp_path}/ring")

    assert found["settings"]["seal_keys"]["value"] == "not set"
    assert any("Nothing seals the private keys in this directory" in note for note in found["notes"])


def test_an_open_ring_is_read_as_the_application_reads_it(mintkey, answer, tmp_path, monkeypatch):
    monkeypatch.setenv("MINTKEY_STORE", f"file://{tmp_path}/ring")
    mintkey("token", "mint", "magic-link")

    found = answer("doctor")

    assert (found["ok"], found["ring"], found["checks"]["keys"]["figure"]) == (True, "there", 2)


def test_memory_and_a_missing_issuer_are_pointed_out(answer, monkeypatch):
    monkeypatch.delenv("MINTKEY_ISSUER")

    notes = answer("doctor", "--store", "memory://")["notes"]

    assert any("Memory ends with each command" in note for note in notes)
    assert any("No issuer is set" in note for note in notes)


def only(monkeypatch, *there):
    """Have the machine load these packages of the speed extra and no other; metadata knows them all as 1.2.3."""
    bindings = SimpleNamespace(crypto_sign=None, crypto_sign_open=None)
    modules = {"PyNaCl": ("nacl.bindings", bindings), "orjson": ("orjson", SimpleNamespace(loads=json.loads))}
    found = dict(modules[name] for name in there)
    monkeypatch.setattr(facts.metadata, "version", lambda name: "1.2.3")
    monkeypatch.setattr(speed, "imported", found.get)
    monkeypatch.setattr(speed, "_version", lambda package: "1.2.3")
    monkeypatch.setattr(sodium, "is_used", lambda: "PyNaCl" in there)


def test_what_is_installed_is_listed(answer, mintkey, monkeypatch):
    def version(name):
        if name == "asyncpg":
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(facts.metadata, "version", version)

    found = answer("doctor")

    assert (found["packages"]["redis"], found["packages"]["asyncpg"]) == ("1.2.3", None)
    assert {"python", "mintkey", "sqlalchemy", "pynacl", "orjson"} <= set(found["packages"])
    assert "asyncpg not installed" in " ".join(mintkey("doctor").stdout.split())


def test_accelerators_at_work_are_shown(answer, mintkey, monkeypatch):
    only(monkeypatch, "PyNaCl", "orjson")

    assert answer("doctor")["speed"] == {
        "PyNaCl": {"for": "Ed25519", "version": "1.2.3", "used": True},
        "orjson": {"for": "JSON", "version": "1.2.3", "used": True},
    }
    shown = mintkey("doctor").stdout
    assert "Speed\n  PyNaCl  1.2.3, in use  [for Ed25519]\n  orjson  1.2.3, in use  [for JSON]\n" in shown
    assert "mintkey[speed]" not in shown


def test_the_accelerators_of_this_machine_are_shown_as_they_are(answer):
    """Whatever it has installed."""
    shown = {name: one["version"] for name, one in answer("doctor")["speed"].items() if one["used"]}

    assert shown == {name: version for name, version in speed.accelerators().items() if version is not None}


@pytest.mark.parametrize(
    ("there", "gain"),
    [
        ((), "Ed25519 with PyNaCl and JSON with orjson"),
        (("orjson",), "Ed25519 with PyNaCl"),
        (("PyNaCl",), "JSON with orjson"),
    ],
)
def test_what_is_not_installed_is_fine_and_said_to_be_faster(answer, mintkey, monkeypatch, there, gain):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    only(monkeypatch, *there)
    monkeypatch.setattr(facts.metadata, "version", version)

    found = answer("doctor")

    assert found["ok"]
    assert f"There is a faster way for {gain}: pip install 'mintkey[speed]'." in found["notes"]
    assert {name: (one["version"], one["used"]) for name, one in found["speed"].items()} == {
        name: ("1.2.3", True) if name in there else (None, False) for name in ("PyNaCl", "orjson")
    }
    for name in {"PyNaCl", "orjson"} - set(there):
        assert f"  {name}  not installed  [for " in mintkey("doctor").stdout


@pytest.mark.parametrize(
    ("there", "vain"), [((), ["PyNaCl", "orjson"]), (("PyNaCl",), ["orjson"]), (("orjson",), ["PyNaCl"])]
)
def test_what_is_installed_in_vain_is_pointed_out(answer, mintkey, monkeypatch, there, vain):
    only(monkeypatch, *there)

    found = answer("doctor")

    assert found["ok"]
    assert [note.partition(":")[0] for note in found["notes"] if "not used" in note] == [
        f"{name} 1.2.3 is installed and not used" for name in vain
    ]
    assert not any("mintkey[speed]" in note for note in found["notes"])
    for name in vain:
        assert f"  {name}  1.2.3, not in use  [for " in mintkey("doctor").stdout


def test_where_nothing_is_missing_nothing_is_noted(seal_keys, mintkey, answer, tmp_path, monkeypatch):
    monkeypatch.setenv("MINTKEY_STORE", f"sqlite:///{tmp_path}/tokens.db")
    mintkey("token", "mint", "magic-link")
    only(monkeypatch, "PyNaCl", "orjson")

    assert answer("doctor")["notes"] == []
    assert "Notes" not in mintkey("doctor").stdout


def test_people_see_80_plain_columns(mintkey):
    mintkey("token", "mint", "magic-link")

    lines = mintkey("doctor", "--store", "memory://").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)


def test_an_eviction_policy_that_forgets_is_3(valkey, seal_keys, mintkey):
    mintkey("token", "mint", "magic-link", "--store", valkey.url)
    valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = examined(result := mintkey("doctor", "--store", valkey.url, "--json"))
    finally:
        valkey.command("CONFIG", "SET", "maxmemory-policy", "noeviction")

    assert result.exit_code == 3
    assert found["checks"]["keys.eviction"]["word"] == "allkeys-lru"
    assert "noeviction" in found["checks"]["keys.eviction"]["advice"]
