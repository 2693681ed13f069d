"""What happened, as typed values, and who is told.

Events carry closed words only (a purpose's name, a reason, a kid), never a token, a `jti`, a subject or a claim.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mintkey.errors import Reason

__all__ = [
    "BackendDegraded",
    "Event",
    "Hook",
    "Minted",
    "Rejected",
    "ReuseDetected",
    "Revoked",
    "Spent",
    "Verified",
    "emit",
]

_log = logging.getLogger("mintkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events.

    Attributes:
        purpose: The name of the purpose concerned.
    """

    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted(Event):
    """Tokens were minted.

    Example:
        >>> Minted(purpose="magic-login", key_id="k1").count
        1
    """

    key_id: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Event):
    """A token passed every check, revocation included; told after the last of them."""

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent(Event):
    """A single-use token was spent."""

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Event):
    """A token was refused, or nobody could decide; `reason` says which."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Event):
    """Something was revoked; `what` is `token`, `id`, `subject` (all that it has) or `family` (of refresh tokens)."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseDetected(Event):
    """A refresh token came again after it was replaced: two hold what one should, and its family is revoked now.

    Told once a family, by the call that revoked it, in addition to `Rejected`.

    Example:
        ```python
        def alarm(event: Event) -> None:
            if isinstance(event, ReuseDetected):
                pager.notify(f"a token of {event.purpose} was stolen, or a client keeps old ones")
        ```
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendDegraded(Event):
    """A backend failed where the outcome of the call did not depend on it; `reason` is the backend's."""

    reason: Reason


class Hook(Protocol):
    """Anything that wants to be told. Called on the event loop, so it must not block.

    Example:
        ```python
        def count(event: Event) -> None:
            counters[type(event).__name__, event.purpose] += 1

        TokenService(issuer="https://myapp.example", keys=keys, hooks=[count])
        ```
    """

    def __call__(self, event: Event, /) -> None:
        """Take note of an event; whatever is raised is logged and changes nothing."""
        ...


def emit(hooks: Sequence[Hook], event: Event, /) -> None:
    """Tell every hook; one that raises is logged by its type alone and never changes an outcome."""
    for hook in hooks:
        try:
            hook(event)
        except Exception as error:  # noqa: BLE001 - a broken hook must not decide about a token
            _log.error("a hook raised %s on %s", type(error).__name__, type(event).__name__)
