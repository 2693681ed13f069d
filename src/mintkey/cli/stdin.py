"""What comes in by stdin: a token, or a yes."""

import sys

import typer

from mintkey.cli.outcome import ExitCode
from mintkey.errors import ConfigurationError, MalformedTokenError

__all__ = ["ask", "confirm", "has_terminal", "read_token"]

_LIMIT = 65_536
"""More than any token may have, white space around it included; what is over it is never read."""


def read_token() -> str:
    """The token on stdin, without the white space around it; whatever else was there is for the gate to refuse.

    Raises:
        MalformedTokenError: There are several (`malformed`). None of them was looked at, and none is spent.
    """
    if has_terminal():
        print("paste the token and press Enter:", file=sys.stderr)
        content = sys.stdin.buffer.readline(_LIMIT + 1)
    else:
        content = sys.stdin.buffer.read(_LIMIT + 1)
    words = content.decode("ascii", "replace").split()
    if len(words) > 1:
        raise MalformedTokenError("stdin holds more than one word, and a token is one: give one token at a time")
    return "".join(words)


def has_terminal() -> bool:
    """Whether a person sits at stdin."""
    return sys.stdin.isatty()


def confirm(question: str, /, *, is_agreed: bool, otherwise: str, as_json: bool) -> None:
    """Go on only if somebody agrees.

    Args:
        question: What the person is asked.
        is_agreed: Whether that was said already, by `--yes`.
        otherwise: What to say when the person does not agree.
        as_json: Whether a program runs the command; it finds JSON on stderr and no question.

    Raises:
        ConfigurationError: Nobody can be asked (`configuration`).
        Exit: The person does not agree.
    """
    if is_agreed:
        return
    if as_json:
        raise ConfigurationError("with --json nobody is asked: give --yes")
    if not has_terminal():
        raise ConfigurationError("nobody can be asked, because stdin is no terminal: give --yes")
    if not ask(question):
        print(otherwise, file=sys.stderr)
        raise typer.Exit(ExitCode.USAGE)


def ask(question: str, /) -> bool:
    """Whether the person says yes; anything else is a no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
