"""The custodian for tokens, where python-pkcs11 is not installed."""

import importlib
import sys

import pytest

import mintkey.keys
from mintkey.errors import MissingExtraError, Reason

MODULES = ["pkcs11", "pkcs11_api", "pkcs11_module", "pkcs11_names", "pkcs11_objects", "pkcs11_pairs", "pkcs11_sessions"]


def hide_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mintkey.keys.custodians.pkcs11")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pkcs11", None)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_names_the_extra(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    hide_package(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[pkcs11\]'") as caught:
        importlib.import_module(f"mintkey.keys.custodians.{name}")
    assert caught.value.reason is Reason.EXTRA_MISSING


def test_so_does_whoever_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_package(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[pkcs11\]'"):
        getattr(mintkey.keys, "Pkcs11Custodian")  # noqa: B009 - looking at it is what fails
    assert repr(mintkey.keys.Pkcs11Pin("1234")) == "Pkcs11Pin(…)"  # settings may be read without it
