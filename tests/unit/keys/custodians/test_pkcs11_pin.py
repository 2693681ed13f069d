"""A PIN is read when it is needed, where it is kept, and shown nowhere."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mintkey import ConfigurationError
from mintkey.keys import Pkcs11Pin


def test_it_is_what_was_given():
    assert Pkcs11Pin("1234 ü").read() == "1234 ü".encode()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_line_break_at_the_end_of_a_file_does_not_belong_to_it(tmp_path: Path, ending: str):
    (tmp_path / "pin").write_bytes(f" 12 34 {ending}".encode())
    assert Pkcs11Pin.from_file(tmp_path / "pin").read() == b" 12 34 "


def test_a_file_is_read_anew(tmp_path: Path):
    pin = Pkcs11Pin.from_file(tmp_path / "pin")
    for text in ("1234", "5678"):
        (tmp_path / "pin").write_text(text, "utf-8")
        assert pin.read() == text.encode()


def test_so_is_the_environment(monkeypatch: pytest.MonkeyPatch):
    pin = Pkcs11Pin.from_environment("HSM_PIN")
    for text in ("1234", "5678"):
        monkeypatch.setenv("HSM_PIN", text)
        assert pin.read() == text.encode()
    assert Pkcs11Pin.from_environment("HSM_PIN", {"HSM_PIN": "90"}).read() == b"90"


@pytest.mark.parametrize(
    "pin",
    [
        lambda path: Pkcs11Pin(""),
        lambda path: Pkcs11Pin("secret \ud800"),
        lambda path: Pkcs11Pin.from_file(path / "nowhere"),
        Pkcs11Pin.from_file,
        lambda path: Pkcs11Pin.from_file(path / "binary"),
        lambda path: Pkcs11Pin.from_file(path / "empty"),
        lambda path: Pkcs11Pin.from_environment("HSM_PIN", {}),
        lambda path: Pkcs11Pin.from_environment("HSM_PIN", {"HSM_PIN": "secret \udc80"}),
    ],
    ids=["empty", "surrogate", "no file", "directory", "binary", "empty file", "no variable", "no text"],
)
def test_where_there_is_none_the_place_is_named_and_no_content(tmp_path: Path, pin: Callable[[Path], Pkcs11Pin]):
    (tmp_path / "binary").write_bytes(b"secret \xff")
    (tmp_path / "empty").write_bytes(b"\n")
    with pytest.raises(ConfigurationError, match="no PIN of the token in Pkcs11Pin") as raised:
        pin(tmp_path).read()
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_it_is_not_shown():
    assert "1234" not in f"{Pkcs11Pin('1234')!r}{Pkcs11Pin('1234')}"


@pytest.mark.parametrize("make", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_not_copied(make: Callable[[object], object]):
    with pytest.raises(TypeError, match="not pickled or copied"):
        make(Pkcs11Pin("1234"))
