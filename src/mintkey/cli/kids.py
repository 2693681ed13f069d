"""From what a person types to one version of the key."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from mintkey.errors import ConfigurationError
from mintkey.keys.base import KeyVersion

__all__ = ["KidCommand", "find_version"]

_SHORTEST = 6
_LONGEST_OPTION = 21
"""Shorter than any whole kid."""


class KidCommand(TyperCommand):
    """A command with the argument KID, which one time in 64 begins like an option.

    Nobody should have to know that while a key has to be revoked, so what can be no option is taken for the argument.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with kids that begin with `-` behind all options."""
        takes_value = {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}
        before = ["", *args]
        kids = (
            []
            if "--" in args
            else [
                index
                for index, argument in enumerate(args)
                if before[index] not in takes_value and _is_no_option(argument)
            ]
        )
        others = [argument for index, argument in enumerate(args) if index not in kids]
        return super().parse_args(ctx, [*others, "--", *(args[index] for index in kids)] if kids else args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What can stand here. Where no option begins like that, a kid may."""
        offered: list[Any] = super().shell_complete(ctx, incomplete)
        if not offered and incomplete.startswith("-"):
            arguments = (param for param in self.params if param.param_type_name == "argument")
            offered = [item for argument in arguments for item in argument.shell_complete(ctx, incomplete)]
        return offered


def _is_no_option(argument: str) -> bool:
    if argument.startswith("--"):
        return len(argument) > _LONGEST_OPTION and "=" not in argument
    return argument.startswith("-") and len(argument) >= _SHORTEST


def find_version(versions: Sequence[KeyVersion], given: str, /) -> KeyVersion:
    """The version of this kid, or the only one whose kid begins like that. Nobody but a person is served like this.

    Args:
        versions: The versions that there are.
        given: A kid, or at least 6 characters of its beginning.

    Raises:
        ConfigurationError: There is none, or there are several; nothing is guessed (`configuration`).
    """
    found = [version for version in versions if version.kid == given]
    if not found and len(given) >= _SHORTEST:
        found = [version for version in versions if version.kid.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        kids = ", ".join(version.kid for version in found)
        raise ConfigurationError(f"KID fits several versions, so give more of it: {kids}")
    if len(given) < _SHORTEST:
        raise ConfigurationError(f"KID must be whole, or at least {_SHORTEST} characters of its beginning")
    raise ConfigurationError(
        "KID fits no version of this ring: `mintkey keys list` shows them, --ring and --store say which"
    )
