"""Where the value of a setting comes from: an option, a variable, the file that a variable names, or the default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from mintkey.settings.table import PREFIX, Setting, variable_of

__all__ = ["Found", "Lookup", "find", "option_of"]

T = TypeVar("T")

_DEFAULT = "default"
_FILE = "_FILE"
_MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """The text of a setting, or why there is none.

    Attributes:
        origin: The variable or the option that was set.
        label: What to call it at the beginning of a problem.
        text: What it says.
        problem: What is wrong with it already, as the end of that sentence; None: nothing.
    """

    origin: str
    label: str
    text: str = field(default="", repr=False)
    problem: str | None = None


def option_of(name: str, /) -> str:
    """The option of a setting.

    Example:
        >>> option_of("store")
        '--store'
    """
    return f"--{name}"


def find(environ: Mapping[str, str | None], variable: str, /) -> Found | None:
    """What a variable says, or the file that the variable with `_FILE` behind its name names; None if neither is set.

    An empty variable counts as not set. Of a file, white space around the text is taken away: whoever writes a secret
    into a file rarely leaves out the line break. Reading it blocks.

    Args:
        environ: The environment variables.
        variable: The name of the variable.

    Example:
        >>> find({"MINTKEY_RING": "payments"}, "MINTKEY_RING")
        Found(origin='MINTKEY_RING', label='MINTKEY_RING', problem=None)
    """
    text, path = environ.get(variable) or "", environ.get(variable + _FILE) or ""
    if text.strip() and path.strip():
        return Found(variable, variable, problem=f"and {variable}{_FILE} are both set: keep one of them")
    if text.strip():
        return Found(variable, variable, text)
    return _read_file(variable + _FILE, path.strip()) if path.strip() else None


class Lookup:
    """Reads settings and remembers where each came from. An option wins over a variable.

    Args:
        environ: The environment variables.
        problems: What is wrong is added here, by the name under which it was set, never with its value.
        prefix: What stands in front of every variable.

    Example:
        >>> from mintkey.settings.table import MAX_MINTS, RING
        >>> lookup = Lookup({"MINTKEY_RING": "payments"}, [])
        >>> lookup.value(RING), lookup.value(MAX_MINTS), lookup.origins["ring"]
        ('payments', None, 'MINTKEY_RING')
    """

    def __init__(self, environ: Mapping[str, str], problems: list[str], /, *, prefix: str = PREFIX) -> None:
        self._environ = environ
        self._problems = problems
        self._prefix = prefix
        self._origins: dict[str, str] = {}

    @property
    def origins(self) -> Mapping[str, str]:
        """The option or the variable that each setting was read from, or `default`."""
        return MappingProxyType(dict(self._origins))

    def value(self, setting: Setting[T], given: str | None = None, /) -> T:
        """A setting; its default if it is not set or cannot be read.

        Args:
            setting: Which one.
            given: What its option says, if it has one.
        """
        found = self._find(setting.name, given)
        self._origins[setting.name] = _DEFAULT if found is None else found.origin
        if found is None:
            return setting.default
        try:
            if found.problem is None:
                return setting.read(found.text)
            problem = found.problem
        except ValueError as error:
            problem = str(error)
        self._problems.append(f"{found.label} {problem}")
        return setting.default

    def _find(self, name: str, given: str | None) -> Found | None:
        if given is None:
            return find(self._environ, variable_of(name, prefix=self._prefix))
        return Found(option_of(name), option_of(name), given, None if given.strip() else "must not be empty")


def _read_file(variable: str, path: str) -> Found:
    """What a file holds; a FIFO or a device would make us wait, so it counts as no file."""
    label, problem = f"the file of {variable}", ""
    try:
        file = Path(path).expanduser()
        if not file.is_file():
            return Found(variable, variable, problem="names no file")
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except (OSError, RuntimeError, ValueError):  # nobody's home directory, a null byte
        return Found(variable, variable, problem="names a file that cannot be read")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return Found(variable, label, problem="is no text in UTF-8")
    if len(data) > _MAX_FILE_BYTES:
        problem = "is too large for a setting"
    elif not text:
        problem = "is empty"
    return Found(variable, label, text, problem or None)
