"""Moving a ring from one custodian to another, version by version, without a token that is refused."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from mintkey.errors import ConfigurationError, UnsupportedOperationError
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.ports import KeyCustodian, KeyMaterial, Rewrapping, Sweeping
from mintkey.lifecycle import Resource

__all__ = ["MovingCustodian"]


class MovingCustodian(Resource):
    """A `KeyCustodian` that makes keys in one place and still uses those that are in another.

    A key does not leave its custodian, so a ring moves as it rotates: give this one to every process first; then the
    next versions are made in the new place, and two rotations later the last old key has stopped signing. When all of
    its versions are pruned, the new custodian alone will do.

    Args:
        new: Makes all keys from now on.
        old: Has those that are in the ring already.
        is_old: Whether a key is one of the old one's, told from its material; may be left out where the old one is a
            `SealedCustodian` and the new one keeps its keys elsewhere, because that shows.

    Raises:
        ConfigurationError: `is_old` is needed (`configuration`).

    Example:
        >>> from mintkey.keys import Plaintext, SealedCustodian
        >>> old, new = (SealedCustodian(Plaintext(), ring=ring) for ring in ("old", "new"))
        >>> moving = MovingCustodian(new, old, is_old=lambda material: material.kid in {"k1", "k2"})
        >>> moving
        MovingCustodian(SealedCustodian(Plaintext(), ring='new'), SealedCustodian(Plaintext(), ring='old'))
    """

    def __init__(
        self, new: KeyCustodian, old: KeyCustodian, *, is_old: Callable[[KeyMaterial], bool] | None = None
    ) -> None:
        if is_old is None:
            if not isinstance(old, SealedCustodian) or isinstance(new, SealedCustodian):
                raise ConfigurationError("MovingCustodian: is_old is needed to tell whose a key is")
            is_old = _is_in_the_ring
        self._new = new
        self._old = old
        self._is_old = is_old

    def __repr__(self) -> str:
        return f"MovingCustodian({self._new!r}, {self._old!r})"

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        """A new key of the new custodian.

        Raises:
            KeyProviderError: It could not be made (`keys_unavailable`).
            ConfigurationError: The new custodian does not do that algorithm (`configuration`).
        """
        return await self._new.create(algorithm)

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to sign, of whichever custodian has it.

        Raises:
            KeyProviderError: That one cannot be reached, or the handle does not open (`keys_unavailable`).
        """
        return await self._holder(material).open(material)

    async def destroy(self, material: KeyMaterial, /) -> None:
        """Destroy the private half for good; destroying what is gone does nothing."""
        await self._holder(material).destroy(material)

    async def rewrap(self, material: KeyMaterial, /) -> KeyMaterial:
        """The same key sealed under the newest key, where it is sealed at all; else the very object.

        Raises:
            KeyProviderError: The handle does not open (`keys_unavailable`).
        """
        holder = self._holder(material)
        return await holder.rewrap(material) if isinstance(holder, Rewrapping) else material

    async def sweep(self, in_use: Collection[KeyMaterial], /, *, older_than: timedelta) -> Sequence[str]:
        """What `Sweeping.sweep` of both custodians says, as far as they have it.

        Raises:
            UnsupportedOperationError: Neither has (`unsupported`).
            ConfigurationError: `older_than` is too short for one of them (`configuration`).
            KeyProviderError: One of them cannot be reached (`keys_unavailable`).
        """
        sweeping = [custodian for custodian in (self._new, self._old) if isinstance(custodian, Sweeping)]
        if not sweeping:
            raise UnsupportedOperationError("sweep: neither custodian leaves anything behind that could be swept")
        return [name for custodian in sweeping for name in await custodian.sweep(in_use, older_than=older_than)]

    def _holder(self, material: KeyMaterial) -> KeyCustodian:
        return self._old if self._is_old(material) else self._new

    async def _close(self) -> None:
        for custodian in (self._new, self._old):
            if isinstance(custodian, Resource):
                await custodian.aclose_unless_open()


def _is_in_the_ring(material: KeyMaterial) -> bool:
    """Whether the private half is, or was, the handle itself, as nobody else's is."""
    return material.erase_when_retiring
