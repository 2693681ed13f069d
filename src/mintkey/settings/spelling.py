"""Variables that were probably meant to be settings: a misspelt one has no effect, and says nothing."""

import difflib
from collections.abc import Iterable, Iterator

from mintkey.settings.table import PREFIX, SETTINGS, variable_of

__all__ = ["misspelt"]

_ALIKE = 0.85
"""How much a name resembles another that is one slip of the hand away."""


def misspelt(names: Iterable[str], /, *, known: Iterable[str] = SETTINGS, prefix: str = PREFIX) -> Iterator[str]:
    """A sentence for each variable that is no setting but nearly spelt like one.

    Args:
        names: The names of the environment variables.
        known: The names of the settings.
        prefix: What stands in front of every variable.

    Example:
        >>> list(misspelt(["MINTKEY_ROTATE_EVRY", "MINTKEY_RING_FILE", "PATH"]))
        ['MINTKEY_ROTATE_EVRY is no setting and has no effect: is MINTKEY_ROTATE_EVERY meant?']
    """
    ours = [name.upper() for name in known]
    ours += [f"{name}_FILE" for name in ours]
    for variable in sorted(names):
        name = variable.upper().removeprefix(prefix.upper())
        if name == variable.upper() or name in ours:
            continue
        for meant in difflib.get_close_matches(name, ours, n=1, cutoff=_ALIKE):
            yield f"{variable} is no setting and has no effect: is {variable_of(meant, prefix=prefix)} meant?"
