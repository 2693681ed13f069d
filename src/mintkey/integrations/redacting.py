"""Tokens do not belong into access logs: a link that was not used yet signs in whoever reads the log first."""

import logging
import re
from collections.abc import Collection, Iterator, Mapping

from mintkey.errors import ConfigurationError

__all__ = ["RedactTokens"]

_REDACTED = "[redacted]"

_VALUE = r"""[^&;#\s"'<>]+"""

# `{"` and a letter, or the same behind a space or the end of a line; then dots, perhaps escaped. Nothing of a word
# stands before it, unless that is an escape: no segment begins in the middle of another, so that a long text takes time
# in proportion to its length and no more.
_JWS = re.compile(
    r"e(?:(?<![\w-]e)|(?<=%[0-9A-Fa-f][0-9A-Fa-f]e))(?:yJ|yAi|wog|w0K)[\w-]{12,}(?:(?:\.|%2[Ee])[\w-]*){1,4}", re.ASCII
)


class RedactTokens(logging.Filter):
    """A filter that leaves the tokens out of log records: `GET /magic?token=[redacted]`. No record is dropped.

    Left out are the values of parameters whose name ends so (`access_token` too), and whatever looks like a JWS,
    wherever it stands: in a path, in a `Referer`, in an address that is a parameter of another one. It knows records as
    servers write them to access logs: positional arguments (uvicorn), and atoms by name (gunicorn, hypercorn).
    Everything but texts stays as it is.

    Add it to the logger that the server writes to, or to a handler. A filter of a logger sees what is logged with that
    logger itself, a filter of a handler everything that comes by.

    Args:
        parameters: Ends of the names of parameters, in any case.

    Raises:
        ConfigurationError: One name instead of several, or an empty one (`configuration`).

    Example:
        >>> import sys
        >>> access = logging.Logger("access")
        >>> access.addHandler(logging.StreamHandler(sys.stdout))
        >>> access.addFilter(RedactTokens())
        >>> access.info('%s - "%s %s"', "10.0.0.7", "GET", "/magic?token=eyJhbGciOi&next=%2Finbox")
        10.0.0.7 - "GET /magic?token=[redacted]&next=%2Finbox"
    """

    def __init__(self, parameters: Collection[str] = ("token",)) -> None:
        super().__init__()
        if isinstance(parameters, str) or not all(parameters):
            raise ConfigurationError("RedactTokens: parameters must be several names, and none of them empty")
        # A class for every letter: of what begins with one, a search finds the places without trying them all.
        names = "|".join("".join(_in_any_case(character) for character in name) for name in parameters)
        self._parameter = re.compile(rf"((?:{names})(?:=|%3[Dd])){_VALUE}") if names else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave the tokens out of a record, which is always to be logged."""
        args = record.args
        if isinstance(args, Mapping):
            record.args = _Atoms(args, self)
        elif args:
            record.args = tuple(self.redacted(value) for value in args)
        else:
            record.msg = self.redacted(record.msg)
        return True

    def redacted(self, value: object, /) -> object:
        """A text without its tokens; whatever else it is, as it is."""
        if not isinstance(value, str):
            return value
        if self._parameter is not None:
            value = self._parameter.sub(rf"\1{_REDACTED}", value)
        return _JWS.sub(_REDACTED, value)


class _Atoms(Mapping[str, object]):
    """What a server has to say about a request, by name; a format asks for a few of them, and only those are looked at.

    Args:
        atoms: As the server has them; their own way to answer for a name that is missing is kept.
        redacting: Looks at them.
    """

    def __init__(self, atoms: Mapping[str, object], redacting: RedactTokens) -> None:
        self._atoms = atoms
        self._redacting = redacting

    def __getitem__(self, name: str) -> object:
        return self._redacting.redacted(self._atoms[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._atoms)

    def __len__(self) -> int:
        return len(self._atoms)


def _in_any_case(character: str) -> str:
    small, great = re.escape(character.lower()), re.escape(character.upper())
    return small if small == great else f"[{small}{great}]"
