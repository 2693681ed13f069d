"""A bar is for a person at a terminal, on stderr, and leaves nothing behind."""

import io

import pytest

from mintkey.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stderr(data_home, monkeypatch):
    """Returns what a kind of stderr got, after some work was done."""
    monkeypatch.setenv("TERM", "xterm-256color")

    def stderr(file, *, is_wanted=True):
        monkeypatch.setattr("sys.stderr", file)
        with progress("copying", is_wanted=is_wanted) as tell:
            tell(1, 3)
            tell(2, 3)
        return file.getvalue()

    return stderr


def test_a_person_sees_how_far_it_is_and_then_no_bar(stderr, capsys):
    drawn = stderr(Terminal())

    assert "copying" in drawn
    assert "2/3" in drawn
    assert drawn.endswith("\x1b[2K")
    assert drawn.index("\x1b[?25l") < drawn.index("\x1b[?25h")
    assert capsys.readouterr().out == ""


def test_the_cursor_comes_back_when_the_work_fails(data_home, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    with pytest.raises(ValueError, match="lost"), progress("copying", is_wanted=True):
        raise ValueError("lost")

    assert "\x1b[?25h" in terminal.getvalue()


def test_files_and_pipes_get_nothing_even_if_colours_are_forced(stderr, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert stderr(io.StringIO()) == ""


def test_where_a_bar_would_disturb_there_is_none(stderr):
    assert stderr(Terminal(), is_wanted=False) == ""
