"""What happened, as typed values, and who is told.

Events carry closed words only (a purpose's name, a reason, a kid), never a token, a `jti`, a subject or a claim.

```
Event                  .purpose
├── Minted             .key_id .count
├── Verified           .key_id
├── Spent              .key_id
├── Rejected           .reason
├── Revoked            .what
├── ReuseDetected
├── BackendDegraded    .reason
└── KeyEvent           .ring .key_id .is_own     about keys, and no purpose
    ├── Rotated        .previous_key_id
    └── KeyRevoked
```

Between services they travel over `mintkey.bus`, whose `EventBus`, `Forwarder`, `Push` and `Delivered` are here, too.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mintkey.errors import Reason
from mintkey.lazily import lazy_names

__all__ = [
    "Announcing",
    "BackendDegraded",
    "Event",
    "Hook",
    "KeyEvent",
    "KeyRevoked",
    "Minted",
    "Rejected",
    "ReuseDetected",
    "Revoked",
    "Rotated",
    "Spent",
    "Verified",
    "emit",
]

# The bus between services takes and brings these events; it is another room, and needs Redis.
__getattr__: Callable[[str], object] = lazy_names(
    __name__, dict.fromkeys(("Delivered", "EventBus", "Forwarder", "Push"), "mintkey.bus")
)

_log = logging.getLogger("mintkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events.

    Attributes:
        purpose: The name of the purpose concerned; empty where it is about keys.

    Example:
        >>> isinstance(Spent(purpose="magic-login", key_id="k1"), Event)
        True
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
    """A token passed every check, revocation included; told after the last of them.

    Example:
        >>> Verified(purpose="magic-login", key_id="k1").purpose
        'magic-login'
    """

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent(Event):
    """A single-use token was spent.

    Example:
        >>> Spent(purpose="magic-login", key_id="k1").key_id
        'k1'
    """

    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Event):
    """A token was refused, or nobody could decide; `reason` says which.

    Example:
        >>> str(Rejected(purpose="magic-login", reason=Reason.REPLAYED).reason)
        'replayed'
    """

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Event):
    """Something was revoked; `what` is `token`, `id`, `subject` (all that it has) or `family` (of refresh tokens).

    Example:
        >>> Revoked(purpose="access", what="subject").what
        'subject'
    """

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
    """A backend failed where the outcome of the call did not depend on it; `reason` is the backend's.

    Example:
        >>> str(BackendDegraded(purpose="payment", reason=Reason.REPLAY_UNAVAILABLE).reason)
        'replay_unavailable'
    """

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent(Event):
    """The base of what becomes of keys. Every process tells of it, once, when it sees that it is so.

    Attributes:
        ring: The name of the key ring.
        key_id: The version concerned.
        is_own: Whether this process made the change itself. Summed over a fleet, these are the changes that were made;
            one whose reply from the store got lost may be nobody's own.

    Example:
        ```python
        def forget_published_keys(event: Event) -> None:
            if isinstance(event, KeyEvent):
                cdn.purge("/.well-known/jwks.json")
        ```
    """

    purpose: str = field(default="", init=False)
    ring: str
    key_id: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated(KeyEvent):
    """Another version signs now: `key_id`, after `previous_key_id`.

    Example:
        >>> Rotated(ring="default", key_id="k2", previous_key_id="k1", is_own=True).purpose
        ''
    """

    previous_key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(KeyEvent):
    """A version was revoked: nothing that it signed is accepted any more.

    Example:
        >>> KeyRevoked(ring="default", key_id="k1", is_own=False).key_id
        'k1'
    """


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


@runtime_checkable
class Announcing(Protocol):
    """A capability of its own: a provider that tells by itself what becomes of its keys.

    A service asks it to tell the service's hooks, so nobody else has to.

    Example:
        ```python
        provider = RedisKeyProvider("redis://cache.internal.example", sealer=sealer)
        provider.announce_to([page_the_operator], of=app)
        ```
    """

    def announce_to(self, hooks: Sequence[Hook], /, *, of: object) -> None:
        """Tell these hooks of every `KeyEvent` from now on, for as long as their owner lives.

        Args:
            hooks: Who is told; the same hook of several owners is told once.
            of: The owner, held weakly. Asking again for it replaces its hooks.
        """
        ...


def emit(hooks: Sequence[Hook], event: Event, /) -> None:
    """Tell every hook; one that raises is logged by its type alone and never changes an outcome.

    Example:
        >>> heard: list[Event] = []
        >>> emit([heard.append], Minted(purpose="magic-login", key_id="k1"))
        >>> len(heard)
        1
    """
    for hook in hooks:
        try:
            hook(event)
        except Exception as error:  # noqa: BLE001 - a broken hook must not decide about a token
            _log.error("a hook raised %s on %s", type(error).__name__, type(event).__name__)
