"""How a service is doing, in words and figures."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Check", "Health"]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a service.

    Attributes:
        ok: Whether it can do its work.
        word: What state it is in: `active`, `ready`, `none`, or the reason why it cannot work.
        figure: For keys the number of versions; for replay the milliseconds that one look took.
    """

    ok: bool
    word: str
    figure: float


@dataclass(frozen=True, slots=True)
class Health:
    """All parts of a service.

    Attributes:
        checks: By part: `keys` and `replay`.

    Example:
        >>> Health({"keys": Check(ok=True, word="active", figure=2), "replay": Check(ok=False, word="x", figure=0)}).ok
        False
    """

    checks: Mapping[str, Check]

    @property
    def ok(self) -> bool:
        """Whether every part can do its work."""
        return all(check.ok for check in self.checks.values())
