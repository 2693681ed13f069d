"""Whether the `speed` extra is at work here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mintkey import speed
from mintkey.jose import sodium

__all__ = ["Accelerator", "accelerators", "notes_on"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One package of the extra.

    Attributes:
        name: What people call it.
        task: What it does faster.
        version: The one that is installed; None if none is.
        used: Whether it does its task in this process.
    """

    name: str
    task: str
    version: str | None
    used: bool

    @property
    def condition(self) -> str:
        """How it is, for people.

        Example:
            >>> Accelerator("orjson", "JSON", "3.10.0", used=True).condition
            '3.10.0, in use'
        """
        if self.version is None:
            return "not installed"
        return f"{self.version}, {'in use' if self.used else 'not in use'}"


def accelerators(installed: Mapping[str, str | None], /) -> Sequence[Accelerator]:
    """The packages of the extra.

    Args:
        installed: The versions of packages, as `facts.installed` says.
    """
    loaded = speed.accelerators()
    return (
        Accelerator("PyNaCl", "Ed25519", loaded["PyNaCl"] or installed["pynacl"], used=sodium.is_used()),
        Accelerator("orjson", "JSON", loaded["orjson"] or installed["orjson"], used=loaded["orjson"] is not None),
    )


def notes_on(found: Sequence[Accelerator], /) -> Iterator[str]:
    """A sentence on what is not installed, and one for each package that is installed in vain."""
    missing = [one for one in found if one.version is None]
    if missing:
        faster = " and ".join(f"{one.task} with {one.name}" for one in missing)
        yield f"There is a faster way for {faster}: pip install 'mintkey[speed]'."
    for one in found:
        if one.version is not None and not one.used:
            yield (
                f"{one.name} {one.version} is installed and not used: it does not load, is older than the speed extra "
                "asks for, or judges signatures otherwise. Tokens are the same without it, and slower."
            )
