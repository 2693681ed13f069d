"""The `speed` extra: found when it is needed, and done without when it is not there, does not load or is too old."""

import subprocess
import sys
from types import ModuleType

import pytest

from mintkey import speed
from tests.support.speed import require_speed, without_speed


@pytest.fixture(autouse=True)
def found_anew(monkeypatch):
    """Each test looks for the packages itself."""
    monkeypatch.setattr(speed, "imported", speed.imported.__wrapped__)


def module(name, version=None, **contents):
    made = ModuleType(name)
    vars(made).update(contents, **({} if version is None else {"__version__": version}))
    return made


def install(monkeypatch, nacl="1.5.0", orjson="3.10"):
    bindings = module("nacl.bindings", crypto_sign=len, crypto_sign_open=max)
    for name, made in (
        ("nacl", module("nacl", nacl)),
        ("nacl.bindings", bindings),
        ("orjson", module("orjson", orjson, loads=repr)),
    ):
        monkeypatch.setitem(sys.modules, name, made)


def test_what_is_there_is_handed_out(monkeypatch):
    install(monkeypatch)

    assert speed.json_loads() is repr
    assert speed.sodium() == (len, max)
    assert speed.accelerators() == {"PyNaCl": "1.5.0", "orjson": "3.10"}


@pytest.mark.parametrize("name", ["nacl", "nacl.bindings", "orjson"])
def test_what_is_not_installed_is_done_without(monkeypatch, name):
    install(monkeypatch)
    monkeypatch.setitem(sys.modules, name, None)

    assert (speed.sodium() is None) is (name != "orjson")
    assert (speed.json_loads() is None) is (name == "orjson")
    assert list(speed.accelerators().values()).count(None) == 1


@pytest.mark.parametrize(
    "body",
    ["raise ImportError('libsodium.so.23: cannot open shared object file')", "raise RuntimeError", "1 / 0", "", "("],
)
@pytest.mark.parametrize("name", ["nacl", "orjson"])
def test_what_is_installed_and_broken_is_done_without(monkeypatch, tmp_path, name, body):
    install(monkeypatch)
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name)

    assert speed.imported("nacl.bindings" if name == "nacl" else name) is None


@pytest.mark.parametrize("version", ["1.4.9", "0.99", "1", "unknown", "1.x", 15, ""])
def test_what_is_older_than_the_extra_asks_for_is_done_without(monkeypatch, version):
    install(monkeypatch, nacl=version, orjson=version)

    assert speed.accelerators() == {"PyNaCl": None, "orjson": None}


@pytest.mark.parametrize("version", ["3.10.0", "3.11.5", "4.0.0.dev1", "10.2"])
def test_later_versions_are_used(monkeypatch, version):
    install(monkeypatch, nacl=version, orjson=version)

    assert None not in speed.accelerators().values()


def test_the_packages_themselves_have_what_is_used():
    require_speed()
    read, sodium = speed.json_loads(), speed.sodium()
    assert read is not None
    assert sodium is not None
    assert read(b'{"a":[1]}') == {"a": [1]}
    signed = sodium.sign(b"input", bytes(64))
    assert (len(signed), signed[64:]) == (69, b"input")


def test_it_can_be_switched_off():
    with without_speed():
        assert speed.accelerators() == {"PyNaCl": None, "orjson": None}
        assert (speed.json_loads(), speed.sodium()) == (None, None)


def test_minting_and_verifying_work_where_nothing_of_it_is_installed():
    """In a process of its own, as it is after `pip install mintkey`."""
    code = """
import asyncio, sys
sys.modules["nacl"] = sys.modules["orjson"] = None
from datetime import timedelta
from mintkey import Purpose, TokenService, speed
from mintkey.keys import MemoryKeyProvider

async def main():
    async with TokenService(issuer="i", keys=MemoryKeyProvider()) as tokens:
        purpose = Purpose("p", lifetime=timedelta(minutes=1))
        token = await tokens.mint(purpose, subject="20")
        return (await tokens.verify(token, purpose)).subject

print(asyncio.run(main()), set(speed.accelerators().values()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "20 {None}\n", done.stderr
