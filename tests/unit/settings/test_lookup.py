"""An option wins over a variable, a variable over the default, and a variable may name a file."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from mintkey.settings.lookup import Found, Lookup, find
from mintkey.settings.table import AUDIENCE, LIFETIME, MAX_MINTS, PREVIOUS_TTL, RING, STORE


@pytest.fixture
def secret(tmp_path):
    """Make a file of a text; answers its path."""

    def secret(content, name="secret"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return secret


def looked_up(setting, environ, given=None, **more):
    problems = []
    lookup = Lookup(environ, problems, **more)
    return lookup.value(setting, given), lookup.origins[setting.name], problems


def test_what_is_not_set_has_its_default():
    assert looked_up(PREVIOUS_TTL, {}) == (timedelta(days=1), "default", [])
    assert looked_up(RING, {"MINTKEY_RING": "", "MINTKEY_RING_FILE": " "}) == ("default", "default", [])


def test_a_variable_is_read():
    assert looked_up(AUDIENCE, {"MINTKEY_AUDIENCE": "web, app,"}) == (("web", "app"), "MINTKEY_AUDIENCE", [])


def test_an_option_wins_over_whatever_the_variables_say():
    environ = {"MINTKEY_LIFETIME": "nonsense", "MINTKEY_LIFETIME_FILE": "/nowhere"}

    assert looked_up(LIFETIME, environ, "5m") == (timedelta(minutes=5), "--lifetime", [])


def test_an_empty_option_is_a_mistake():
    assert looked_up(STORE, {"MINTKEY_STORE": "memory://"}, " ") == (None, "--store", ["--store must not be empty"])


def test_another_prefix():
    assert looked_up(RING, {"BILLING_RING": "b", "MINTKEY_RING": "m"}, prefix="billing_")[:2] == ("b", "BILLING_RING")


def test_a_variable_names_the_file_of_a_value(secret):
    environ = {"MINTKEY_STORE_FILE": secret("\ufeffredis://:hunter2@cache/0\n")}

    assert looked_up(STORE, environ) == ("redis://:hunter2@cache/0", "MINTKEY_STORE_FILE", [])


def test_a_file_in_the_home_directory(secret, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    secret("payments", "ring")

    assert looked_up(RING, {"MINTKEY_RING_FILE": "~/ring"})[0] == "payments"


def test_a_variable_beside_its_file_is_a_mistake(secret):
    environ = {"MINTKEY_RING": "a", "MINTKEY_RING_FILE": secret("b")}

    assert looked_up(RING, environ) == (
        "default",
        "MINTKEY_RING",
        ["MINTKEY_RING and MINTKEY_RING_FILE are both set: keep one of them"],
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("hunter2", "the file of MINTKEY_MAX_MINTS_FILE must be a whole number from 1"),
        (" \n", "the file of MINTKEY_MAX_MINTS_FILE is empty"),
        (b"hunter2\xff", "the file of MINTKEY_MAX_MINTS_FILE is no text in UTF-8"),
        ("1" * (1024 * 1024 + 1), "the file of MINTKEY_MAX_MINTS_FILE is too large for a setting"),
    ],
    ids=["not a number", "empty", "not text", "large"],
)
def test_a_file_that_holds_something_else(secret, content, problem):
    assert looked_up(MAX_MINTS, {"MINTKEY_MAX_MINTS_FILE": secret(content)}) == (
        None,
        "MINTKEY_MAX_MINTS_FILE",
        [problem],
    )


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for a writer
    for path in (tmp_path, tmp_path / "missing", tmp_path / "fifo"):
        assert looked_up(RING, {"MINTKEY_RING_FILE": str(path)})[2] == ["MINTKEY_RING_FILE names no file"]


@pytest.mark.parametrize(
    "error", [PermissionError(13, "denied"), RuntimeError("no home"), ValueError("null byte")], ids=str
)
def test_a_file_that_cannot_be_read(secret, monkeypatch, error):
    def refuse(*arguments, **options):
        raise error

    path = secret("a")
    monkeypatch.setattr(Path, "open", refuse)

    assert looked_up(RING, {"MINTKEY_RING_FILE": path})[2] == ["MINTKEY_RING_FILE names a file that cannot be read"]


def test_what_was_found_is_not_shown():
    assert "hunter2" not in repr(find({"MINTKEY_STORE": "redis://:hunter2@h"}, "MINTKEY_STORE"))
    assert find({}, "MINTKEY_STORE") is None
    assert Found("a", "a").problem is None
