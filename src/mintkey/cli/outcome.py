"""How a command ends: an exit code, and if it failed one line that says why and what to do."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from mintkey.errors import BackendError, ConfigurationError, InvalidTokenError, MintkeyError, MissingExtraError, Reason

__all__ = ["BrokenPromiseError", "ExitCode", "Outcome", "UsageProblem", "outcome_of"]


_MISTAKE = "internal"


class ExitCode(IntEnum):
    """What a program that runs `mintkey` can tell apart."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    BACKEND = 3
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class BrokenPromiseError(Exception):
    """The demonstration found that something is not as the library promises."""


@runtime_checkable
class UsageProblem(Protocol):
    """What the option parser raises. Its class lives in `click` or inside `typer`, depending on typer's version."""

    exit_code: int

    def format_message(self) -> str:
        """What is wrong with the arguments."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command failed.

    Attributes:
        code: The exit code.
        reason: One word.
        message: One line: what is wrong and what to do.
        retryable: Whether the same command may succeed later.
    """

    code: ExitCode
    reason: str
    message: str
    retryable: bool = False

    @property
    def is_mistake(self) -> bool:
        """Whether nobody but us is to blame."""
        return self.reason == _MISTAKE

    def report(self, *, as_json: bool) -> None:
        """Say it on stderr, in one line."""
        line = f"mintkey: {self.reason}: {self.message}"
        if as_json:
            error = {"reason": self.reason, "message": self.message, "retryable": self.retryable}
            line = json.dumps({"error": error})
        print(line, file=sys.stderr)


def outcome_of(error: Exception, /) -> Outcome:
    """What to tell the operator about whatever ended a command.

    An operator is no outsider and hears the fine reason. Nobody hears a token: what the option parser quotes is cut.
    """
    if isinstance(error, UsageProblem):
        return Outcome(ExitCode.USAGE, "usage", _parser_said(error))
    match error:
        case MissingExtraError():
            message = _one_line(f"{error}; pip install 'mintkey[cli]' brings all that the command line needs")
            return Outcome(ExitCode.USAGE, error.reason, message)
        case MintkeyError():
            return Outcome(_code_of(error), error.reason, _advised(error), error.retryable)
        case BrokenPromiseError():
            return Outcome(ExitCode.REFUSED, "broken_promise", str(error))
        case OSError():
            return Outcome(ExitCode.BACKEND, "system", f"the operating system says: {error.strerror or 'error'}")
        case _:
            # No traceback for an operator; a developer gets one from `python -X dev -m mintkey`.
            return Outcome(
                ExitCode.BACKEND,
                _MISTAKE,
                f"{type(error).__name__}, which is a mistake in mintkey; python -X dev -m mintkey … shows where",
            )


_CODES: Mapping[type[MintkeyError], ExitCode] = MappingProxyType(
    {
        InvalidTokenError: ExitCode.REFUSED,
        ConfigurationError: ExitCode.USAGE,
        BackendError: ExitCode.BACKEND,
    }
)

_ADVICE: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.TOO_LARGE: "it may have 16 KiB",
        Reason.KEY_UNKNOWN: "was it minted with this --store?",
        Reason.PURPOSE_MISMATCH: "verify it for the PURPOSE (and --typ) that it was minted for",
        Reason.ISSUER_MISMATCH: "compare --issuer with that of whoever minted it",
        Reason.AUDIENCE_MISMATCH: "compare --audience with that of whoever minted it",
        Reason.NOT_YET_VALID: "compare the clocks",
        Reason.EXPIRED: "mint a new one",
        Reason.REPLAYED: "mint a new one",
        Reason.REPLAY_UNPROVABLE: "mint a new one",
        Reason.REVOKED: "mint a new one",
        Reason.KEY_RETIRED: "mint a new one",
        Reason.KEY_REVOKED: "mint a new one",
        Reason.KEYS_UNAVAILABLE: "check --store, its permissions and MINTKEY_SEAL_KEYS, as mintkey doctor does, then "
        "try again",
        Reason.REPLAY_UNAVAILABLE: "check --store and its permissions, as mintkey doctor does, then try again",
        Reason.REPLAY_OUTCOME_UNKNOWN: "treat the token as spent",
        Reason.ROTATION_CONFLICT: "try again",
        Reason.TOKEN_RESERVED: "try again in a moment",
    }
)

_LONG = re.compile(r"[\w.~+/=-]{33,}")
"""Text long enough to be a token or a secret."""


def _code_of(error: MintkeyError) -> ExitCode:
    return next(code for kind, code in _CODES.items() if isinstance(error, kind))


def _advised(error: MintkeyError) -> str:
    advice = _ADVICE.get(error.reason)
    return _one_line(str(error) if advice is None else f"{error}; {advice}")


def _parser_said(error: UsageProblem) -> str:
    message, cut = _LONG.subn("…", _one_line(error.format_message()).rstrip("."))
    if cut:
        return f"{message}; a token goes to stdin and never into the arguments, which every process can read"
    return f"{message}; --help shows how"


def _one_line(text: str) -> str:
    return " ".join(text.split())
