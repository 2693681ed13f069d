"""However long a text is that holds no key, that is found out at once: it grows as the text does, not as its square."""

import time
from contextlib import suppress

import pytest

from mintkey.keys.key_text import is_placeholder, looks_like_path, read_key_text
from mintkey.settings.texts import seal_keys_in

LENGTH = 100_000  # as a square: minutes
HOSTILE = {
    "beginnings": "-----BEGIN A-----" * (LENGTH // 17),
    "endings": "-----BEGIN A-----" * (LENGTH // 34) + "-----END A" * (LENGTH // 20),
    "backslashes": "\\" * LENGTH,
    "escapes": "\\\\n" * (LENGTH // 3),
    "slashes": "/" * LENGTH + "\n.",
    "dashes": "-" * LENGTH + "BEGIN",
    "spaces": "-----" + " " * LENGTH + "BEGIN",
    "labels": "-----BEGIN " + "A " * (LENGTH // 2),
    "gaps": "a" + " " * LENGTH + "b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=[*HOSTILE])
def test_a_long_text_takes_no_time(text: str) -> None:
    began = time.process_time()
    with suppress(ValueError):
        read_key_text(text)
    looks_like_path(text)
    is_placeholder(text)
    seal_keys_in(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a, b", ["a", "b"]),
        ("a\n\n b\n", ["a", "b"]),
        ("a,\n  b", ["a", "b"]),
        ("a \r\n,b", ["a", "b"]),
        ("a,,b", ["a", "", "b"]),
        (",a", ["", "a"]),
        ("a b", ["a b"]),
    ],
)
def test_between_seal_keys_there_is_a_comma_or_a_line_break_or_both(text: str, keys: list[str]) -> None:
    assert seal_keys_in(text) == keys


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("./keys", True),
        ("KEYS.PEM", True),
        ("a<b/c", False),
        ("a/<b>", True),
        ("<a>.pem", False),
        ("a/b\nc", False),
        ("a/b\0", False),
        (" .json\n", True),
        ("keys", False),
    ],
)
def test_a_path_has_a_slash_or_an_ending_and_no_angle_bracket_in_front(text: str, is_path: bool) -> None:
    assert looks_like_path(text) is is_path
