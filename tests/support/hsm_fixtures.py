"""A PKCS#11 token as a fixture, for the modules that name this one in `pytest_plugins`."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import anyio
import pytest

from mintkey.keys.custodians.pkcs11_module import Module
from tests.support.hsm import Hsm, Officer


@pytest.fixture(scope="session")
def new_token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one token that nobody uses: copying it is faster than making another."""
    hsm = Hsm.at(tmp_path_factory.mktemp("hsm"))
    hsm.add()
    return hsm.tokens


@pytest.fixture
def hsm(new_token: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    """A token without keys."""
    hsm = Hsm.at(tmp_path_factory.mktemp("hsm"))
    shutil.copytree(new_token, hsm.tokens, dirs_exist_ok=True)
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    yield hsm
    anyio.run(hsm.close)


@pytest.fixture
def officer(hsm: Hsm) -> Officer:
    return Officer(hsm)


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The PINs that were tried."""
    tried: list[bytes] = []
    log_in = Module.log_in

    def counting(module: Module, session: int, pin: bytes) -> int:
        tried.append(pin)
        Event().wait(0.05)  # time for others to come along
        return log_in(module, session, pin)

    monkeypatch.setattr(Module, "log_in", counting)
    return tried
