"""A ring store that can be looked at and not changed."""

from collections.abc import AsyncIterator, Mapping

from mintkey.errors import KeyProviderError
from mintkey.health import Check, SelfChecking
from mintkey.keys.ports import KeyRingStore, StoredRing
from mintkey.lifecycle import Resource

__all__ = ["LookingStore"]


class LookingStore(Resource):
    """A `KeyRingStore` that refuses every change: whoever asks how a ring is doing neither begins nor rotates it.

    Args:
        store: Where the ring lives.
    """

    def __init__(self, store: KeyRingStore, /) -> None:
        self._store = store

    # The shape of the port below, whose arguments nobody needs here.

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is none."""
        return await self._store.load(ring)

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:  # noqa: ARG002 - as above
        """Nothing is changed.

        Raises:
            KeyProviderError: Always (`keys_unavailable`).
        """
        raise _refused()

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:  # noqa: ARG002 - as above
        """Nothing is counted.

        Raises:
            KeyProviderError: Always (`keys_unavailable`).
        """
        raise _refused()

    async def watch(self, ring: str, /) -> AsyncIterator[int]:  # noqa: ARG002 - as above
        """Nothing: one look needs no push."""
        return
        yield 0  # never reached; it makes this a generator

    async def checks(self) -> Mapping[str, Check]:
        """What the store says of itself."""
        return await self._store.checks() if isinstance(self._store, SelfChecking) else {}

    async def _close(self) -> None:
        if isinstance(self._store, Resource):
            await self._store.aclose()


def _refused() -> KeyProviderError:
    return KeyProviderError("this is a look at the ring, which changes nothing")
