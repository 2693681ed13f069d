"""Colours are for terminals, and nothing that was in a token steers one."""

import io

import pytest
from rich.console import Console

from mintkey.cli.render import Glyphs, glyphs, printable, show_facts, stdout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alice, Ωmega, 20 €", "alice, Ωmega, 20 €"),
        ("\x1b[2J\x07\n\t", r"\x1b[2J\x07\n\t"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_steers_or_hides_is_escaped(text, shown):
    assert printable(text) == shown


def test_facts_are_aligned_and_never_cut():
    file = io.StringIO()

    show_facts(Console(file=file, width=20), {"a": "[red]x" * 30, "long name": "\x1b"})

    assert file.getvalue() == f"  a          {'[red]x' * 30}\n  long name  \\x1b\n"


def test_no_facts_are_no_lines(capsys):
    show_facts(stdout(), {})

    assert capsys.readouterr().out == ""


def test_a_pipe_gets_no_colours(data_home, capsys):
    stdout().print("[bold]10 tokens", style="red")

    assert capsys.readouterr().out == "[bold]10 tokens\n"


def test_a_terminal_gets_colours_unless_it_says_no(data_home, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stdout().print("x", style="red")
    assert capsys.readouterr().out == "\x1b[31mx\x1b[0m\n"

    monkeypatch.setenv("NO_COLOR", "1")
    stdout().print("x", style="red")
    assert capsys.readouterr().out == "x\n"


def test_where_only_ascii_can_be_shown_we_draw_with_ascii():
    narrow = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"))

    signs = glyphs(narrow)

    assert all(getattr(signs, name).isascii() for name in Glyphs.__slots__)
    assert glyphs(Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))) == Glyphs()


def test_what_the_encoding_does_not_have_is_escaped(monkeypatch):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", file)

    stdout().print("Ωmega")

    file.flush()
    assert file.buffer.getvalue() == b"\\u03a9mega\n"


def test_any_file_will_do(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)

    stdout().print("Ωmega")

    assert file.getvalue() == "Ωmega\n"
