"""The two ports below the engine: where a ring lives, and who holds the private keys."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from mintkey.keys.base import Algorithm, SigningKey

__all__ = [
    "KeyCustodian",
    "KeyMaterial",
    "KeyRingStore",
    "MintReturns",
    "Rewrapping",
    "StoredRing",
    "Sweeping",
]


@dataclass(frozen=True, slots=True)
class StoredRing:
    """A ring as a store holds it.

    Attributes:
        document: The ring itself, opaque to the store.
        revision: 1 for the first document, one more with every change.
        mints: Mints reserved so far and not given back, by kid; kids without any may be missing.
        returned: Mints given back so far, by kid. Together with `mints` a number that only ever grows: where it went
            down, the store forgot something.
        time: What the clock of the store said when it answered, in seconds since the epoch; None if it has none of its
            own. Only ever compared with this machine's clock, so that an operator can be told.

    Example:
        >>> ring = StoredRing(document=b"{}", revision=1, mints={"k1": 20})
        >>> ring
        StoredRing(revision=1, mints={'k1': 20}, returned={}, time=None)
    """

    document: bytes = field(repr=False)
    revision: int
    mints: Mapping[str, int] = field(default_factory=dict[str, int])
    returned: Mapping[str, int] = field(default_factory=dict[str, int])
    time: float | None = None


class KeyRingStore(Protocol):
    """Where a ring lives. A store is a file of its own, under 120 lines, and imports no other backend.

    A store that cannot answer raises `KeyProviderError` (`keys_unavailable`) and leaks no driver exception.

    Example:
        ```python
        store: KeyRingStore = MemoryKeyRingStore()
        ring = await store.load("default")
        made = await store.compare_and_swap("default", expected=0 if ring is None else ring.revision, document=b"{}")
        granted = await store.reserve("default", "k1", want=100, limit=1_000_000)
        ```
    """

    async def load(self, ring: str, /) -> StoredRing | None:
        """The ring, or None if there is none (and the store is sure of that)."""
        ...

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        """Replace the document if its revision is still `expected` (0: there is none); whether that happened."""
        ...

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        """Count up to `want` mints against a kid, atomically, never beyond `limit` in all; how many were granted."""
        ...

    def watch(self, ring: str, /) -> AsyncIterator[int]:
        """Revisions as they appear. An optimisation: polling is the guarantee, and a store may yield nothing."""
        ...


@runtime_checkable
class MintReturns(Protocol):
    """A capability of its own: a ring store that takes back mints which were reserved and never used.

    Without it they are wasted, which breaks no promise.
    """

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        """Take back so many reserved mints: `mints` of the kid falls, `returned` rises by as much.

        Unlike every other call of a store it must be executed at most once, whatever becomes of the answer: done
        twice, it would let a version sign beyond its cap. What the ring or the kid does not have is not taken back.

        Raises:
            KeyProviderError: The store cannot answer; the mints are wasted, or were taken back (`keys_unavailable`).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """A key as its custodian describes it, fit for storing in a ring.

    Attributes:
        kid: RFC 7638 thumbprint, or random for a secret.
        algorithm: The only algorithm it is for.
        public_jwk: The public half; None for a secret.
        handle: Opaque to everybody but the custodian: a sealed private key, or the name of a key elsewhere. Empty once
            it was erased.
        erase_when_retiring: The handle is nothing but the private half and is erased as soon as the version stops
            signing. False where verifying (a secret) or destroying (a key elsewhere) needs it for longer.

    Example:
        >>> key = KeyMaterial(kid="k1", algorithm="ES256", public_jwk={"kty": "EC"}, handle="keys/of/my/vault/1")
        >>> key
        KeyMaterial(kid='k1', algorithm='ES256', public_jwk={'kty': 'EC'}, erase_when_retiring=False)
    """

    kid: str
    algorithm: Algorithm
    public_jwk: Mapping[str, Any] | None
    handle: str = field(repr=False)
    erase_when_retiring: bool = False


@runtime_checkable
class Rewrapping(Protocol):
    """A capability of its own: a custodian whose handles are sealed under keys that can be replaced."""

    async def rewrap(self, material: KeyMaterial, /) -> KeyMaterial:
        """The same key with its handle sealed under the newest key; the very object if it already is.

        Raises:
            KeyProviderError: The handle does not open (`keys_unavailable`).
        """
        ...


@runtime_checkable
class Sweeping(Protocol):
    """A capability of its own: a custodian that finds the keys which it made for a ring and nobody knows of any more.

    A process that is killed between making a key and putting it into the ring leaves one behind.
    """

    async def sweep(self, in_use: Collection[KeyMaterial], /, *, older_than: timedelta) -> Sequence[str]:
        """Destroy the keys that were made for this ring, are none of those in use, and are older than that.

        Args:
            in_use: All that is in the ring now.
            older_than: Younger keys may be on their way into the ring.

        Returns:
            What the custodian calls those keys, for operators.

        Raises:
            ConfigurationError: `older_than` is shorter than a key may be on its way (`configuration`).
            KeyProviderError: The custodian cannot be reached (`keys_unavailable`).
        """
        ...


class KeyCustodian(Protocol):
    """Who holds private keys: sealed in the ring, a KMS, an HSM.

    Example:
        ```python
        custodian: KeyCustodian = SealedCustodian(sealer, ring="default")
        material = await custodian.create("ES256")
        key = await custodian.open(material)
        signature = await key.sign(b"header.payload")
        await custodian.destroy(material)
        ```
    """

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        """A new key.

        Raises:
            KeyProviderError: It could not be made (`keys_unavailable`).
            ConfigurationError: This custodian does not do that algorithm (`configuration`).
        """
        ...

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to sign; for a secret it is a `VerificationKey` too.

        Raises:
            KeyProviderError: The custodian cannot be reached, or the handle does not open (`keys_unavailable`).
        """
        ...

    async def destroy(self, material: KeyMaterial, /) -> None:
        """Destroy the private half for good; destroying what is gone does nothing."""
        ...
