"""What the parts of the key provider contract share: the harness, its policies, its questions."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

import pytest

from mintkey.clock import Clock
from mintkey.errors import KeyNotFoundError, KeyRevokedError, Reason
from mintkey.keys.base import IKeyProvider, KeyVersion
from mintkey.keys.policy import RotationPolicy

__all__ = [
    "BY_COUNT",
    "BY_HAND",
    "HOUR",
    "HOURLY",
    "REFRESHED",
    "SECOND",
    "TTL",
    "ContractProvider",
    "KeyProviderHarness",
    "StartProcess",
    "is_refused",
    "published",
    "times",
]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
TTL = timedelta(minutes=40)
HOURLY = RotationPolicy(every=HOUR, previous_ttl=TTL, publish_ahead=timedelta(minutes=10))
BY_HAND = RotationPolicy(every=None, previous_ttl=TTL, publish_ahead=timedelta(0))
BY_COUNT = RotationPolicy(every=None, max_mints=7, previous_ttl=TTL, publish_ahead=timedelta(0))
REFRESHED = timedelta(seconds=6)  # just above the default refresh interval


class ContractProvider(IKeyProvider, Protocol):
    """A key provider with the lifecycle that every one of ours has."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


class KeyProviderHarness(Protocol):
    """Gives the contract providers to test.

    Example:
        >>> from mintkey.keys.memory import MemoryKeyProvider
        >>> from mintkey.keys.stores.memory import MemoryKeyRingStore
        >>> class Harness:
        ...     def __init__(self):
        ...         self._store = MemoryKeyRingStore()
        ...
        ...     def provider(self, *, clock, policy):
        ...         return MemoryKeyProvider(clock=clock, policy=policy, store=self._store)
        ...
        ...     async def lose_ring(self):
        ...         self._store.forget("default")
    """

    def provider(self, *, clock: Clock, policy: RotationPolicy) -> ContractProvider:
        """A provider of its own, as another process would make it, on the same ring as every other of this harness.

        Its refresh interval and its clock skew are the defaults of 5 seconds.
        """
        ...

    async def lose_ring(self) -> None:
        """Have the backing store forget the ring, as after a restart without persistence."""
        ...


StartProcess = Callable[[RotationPolicy], ContractProvider]
"""Starts another process of the fleet: a provider that the contract closes."""


async def is_refused(provider: IKeyProvider, kid: str, reason: Reason) -> None:
    """Assert that what this kid signed is refused, for this reason."""
    kind = KeyRevokedError if reason is Reason.KEY_REVOKED else KeyNotFoundError
    with pytest.raises(kind) as raised:
        await provider.resolve(kid)
    assert raised.value.reason is reason


async def published(provider: IKeyProvider) -> list[object]:
    """The kids in the JWK Set."""
    return [key["kid"] for key in (await provider.jwks()).as_dict()["keys"]]


def times(versions: Sequence[KeyVersion]) -> list[tuple[object, ...]]:
    """What of the versions a restart must not change."""
    return [(v.kid, v.state, v.created_at, v.activates_at, v.retires_at, v.verify_until) for v in versions]
