"""A token comes in by stdin, from a pipe or from a person."""

import io

import pytest

from mintkey.cli import stdin


class Input(io.TextIOWrapper):
    def __init__(self, content, *, is_terminal):
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def pipe(monkeypatch):
    return lambda content: monkeypatch.setattr("sys.stdin", Input(content, is_terminal=False))


@pytest.fixture
def person(monkeypatch):
    return lambda content: monkeypatch.setattr("sys.stdin", Input(content, is_terminal=True))


def test_a_pipe_is_read_whole_and_stripped(pipe):
    pipe(b"\n a.b.c \r\n\n")

    assert stdin.read_token() == "a.b.c"


def test_what_is_no_text_is_left_to_the_gate(pipe):
    pipe(b"a.\xff\x00.c")

    assert stdin.read_token() == "a.\N{REPLACEMENT CHARACTER}\x00.c"


def test_reading_is_bounded(pipe):
    pipe(b"a" * 10_000_000)

    assert len(stdin.read_token()) == 65_537


def test_a_person_is_told_what_to_do_and_pastes_a_line(person, capsys):
    person(b"a.b.c\nmore")

    assert stdin.read_token() == "a.b.c"
    assert capsys.readouterr().err == "paste the token and press Enter:\n"


@pytest.mark.parametrize(
    ("answer", "is_yes"), [("y", True), (" YES ", True), ("n", False), ("", False), ("yup", False)]
)
def test_only_a_yes_is_a_yes(person, capsys, answer, is_yes):
    person(answer.encode() + b"\n")

    assert stdin.ask("Sure?") is is_yes
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Sure? [y/N] ")
