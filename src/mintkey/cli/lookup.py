"""Looks settings up, one at a time: first the option, then the variable, then the default."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

from mintkey.cli import durations

__all__ = ["Lookup", "option_of", "variable_of"]

D = TypeVar("D", timedelta, timedelta | None)

_DEFAULT = "default"


def option_of(name: str, /) -> str:
    """The option of a setting.

    Example:
        >>> option_of("store")
        '--store'
    """
    return f"--{name}"


def variable_of(name: str, /) -> str:
    """The variable of a setting.

    Example:
        >>> variable_of("seal_keys")
        'MINTKEY_SEAL_KEYS'
    """
    return f"MINTKEY_{name.upper()}"


class Lookup:
    """Reads settings and remembers where each came from. An empty variable counts as not set.

    Args:
        environ: The environment variables.
        problems: What is wrong is added here, by the name under which it was set, never with its value.
    """

    def __init__(self, environ: Mapping[str, str], problems: list[str], /) -> None:
        self._environ = environ
        self._problems = problems
        self._origins: dict[str, str] = {}

    @property
    def origins(self) -> Mapping[str, str]:
        """The option or the variable that each setting was read from, or `default`."""
        return MappingProxyType(dict(self._origins))

    def text(self, name: str, given: str | None = None, /) -> str | None:
        """A setting as it is; None if it is not set.

        Args:
            name: The setting.
            given: What its option says, if it has one.
        """
        if given is not None:
            self._origins[name] = option_of(name)
            if not given:
                self.problem(name, "must not be empty")
            return given
        found = self._environ.get(variable_of(name)) or None
        self._origins[name] = _DEFAULT if found is None else variable_of(name)
        return found

    def duration(
        self, name: str, given: str | None = None, /, *, default: D, words: Mapping[str, D] = MappingProxyType({})
    ) -> timedelta | D:
        """A setting that is a duration.

        Args:
            name: The setting.
            given: What its option says, if it has one.
            default: What holds where it is not set.
            words: What may stand there instead of a duration.
        """
        found = self._environ.get(variable_of(name)) if given is None else given
        self._origins[name] = option_of(name) if given is not None else variable_of(name) if found else _DEFAULT
        if given is None and not found:
            return default
        text = found or ""
        try:
            return words[text] if text in words else durations.parse(text)
        except ValueError as error:
            self.problem(name, str(error))
            return default

    def problem(self, name: str, text: str, /) -> None:
        """Note what is wrong with a setting that was looked up."""
        self._problems.append(f"{self._origins[name]} {text}")
