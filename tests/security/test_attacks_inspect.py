"""`mintkey token inspect` shows what nobody vouches for: it refuses or shows it, and steers no terminal by it."""

import json

import pytest

from mintkey import MalformedTokenError
from mintkey.cli.inspection import WARNING, inspect
from mintkey.cli.render import show_facts, stdout
from mintkey.cli.token_view import show_inspected
from mintkey.jose.base64url import decode, encode
from tests.security.attacks.corpus import cases, families_of

STEERING = {
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the title": "\x1b]0;verified\x07",
    "writes to the clipboard": "\x1b]52;c;Y3VybCBldmlsfHNo\x07",
    "is a link": "\x1b]8;;https://attacker.example\x07verified\x1b]8;;\x07",
    "eight-bit control": "\x9b2J",
    "goes back": "\rverified",
    "begins a line": "\nverified: yes",
    "deletes": "\x08\x08\x08",
    "right to left": "\u202e",
    "hidden": "\u200b",
    "markup": "[bold][link=https://attacker.example]verified[/link]",
    "line separator": "\u2028verified",
}


@pytest.mark.parametrize("steering", STEERING)
def test_neither_names_nor_values_steer_a_terminal(steering: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = STEERING[steering]
    header: dict[str, object] = {"alg": "none", "kid": text, text: text, f"x{text}": [text, {text: text}]}
    show_inspected(inspect(token_of(header, {text: 1, "exp": 1}), typ=text))
    shown = capsys.readouterr().out
    assert_harmless(shown)
    # The warning, three members of the header but for `alg`, and what is told of typ, claims and the one time.
    assert len(shown.split("\n")) == 1 + len(header) + 3 + 1


def test_the_same_holds_for_claims_that_were_verified(capsys: pytest.CaptureFixture[str]) -> None:
    for text in STEERING.values():
        show_facts(stdout(), {f"claim {text}": json.dumps(text, ensure_ascii=False)})
        shown = capsys.readouterr().out
        assert_harmless(shown)
        assert shown.count("\n") == 1


@pytest.mark.parametrize("family", families_of("EdDSA"))
def test_the_whole_corpus_is_shown_or_refused(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    for case in cases("EdDSA", family):
        if not isinstance(case.token, str):
            continue  # stdin gives text
        try:
            found = inspect(case.token, typ="magic-login+jwt")
        except MalformedTokenError:
            continue
        assert found.header == json.loads(decode(case.token.split(".")[0]))
        show_inspected(found)
    assert_harmless(capsys.readouterr().out)


def assert_harmless(shown: str) -> None:
    assert not shown or shown.startswith((WARNING, "  claim"))
    for line in shown.split("\n"):
        assert line.isprintable(), line.encode("unicode_escape")


def token_of(header: dict[str, object], claims: dict[str, object]) -> str:
    return ".".join(encode(json.dumps(part).encode()) for part in (header, claims)) + ".AAAA"
