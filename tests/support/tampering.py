"""A store that somebody else can write to, past every compare-and-swap."""

from mintkey.keys.ports import StoredRing
from mintkey.keys.stores.memory import MemoryKeyRingStore, _Entry  # pyright: ignore[reportPrivateUsage]

__all__ = ["OpenStore"]


class OpenStore(MemoryKeyRingStore):
    """A ring store whose content can be looked at and replaced."""

    async def see(self, ring: str = "default") -> StoredRing:
        """What it holds."""
        stored = await self.load(ring)
        assert stored is not None
        return stored

    def put(self, stored: StoredRing, ring: str = "default") -> None:
        """Make it hold exactly this."""
        self._rings[ring] = _Entry(stored.document, stored.revision, dict(stored.mints), dict(stored.returned))
