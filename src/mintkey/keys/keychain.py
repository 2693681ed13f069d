"""The engine's side of a custodian: keys that are open, keys made ahead of their use, keys to be destroyed."""

import logging
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import anyio

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, MintkeyError, UnsupportedOperationError
from mintkey.jose.algorithms import SPECS
from mintkey.keys.answers import answer_of
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.ports import KeyCustodian, KeyMaterial, Rewrapping
from mintkey.keys.ring import Rewrap, Ring
from mintkey.lifecycle import Resource
from mintkey.loops import PerLoop

__all__ = ["Keychain"]

_logger = logging.getLogger("mintkey.keys")

_DEADLINE = 30.0  # for custodians that hang; not for making a key, which takes as long as it takes
_AHEAD = 60.0  # seconds: a key elsewhere takes a few of them to be made, and may be refused at first
_SPARE_FOR = 3600.0  # seconds: a key elsewhere costs its price from the first day, and may be swept after a while


@dataclass(frozen=True, slots=True)
class _Spare:
    """A key that was made ahead of its use, and when."""

    material: KeyMaterial
    made_at: float


class Keychain:
    """Opens every key once, makes keys outside the compare-and-swap that needs them, and destroys what was pruned.

    Args:
        custodian: Who holds the private keys.
        algorithm: What new keys are for.
        clock: Tells how long a spare key has been lying about; by default the machine's.

    Attributes:
        custodian: Who holds the private keys.
    """

    def __init__(self, custodian: KeyCustodian, algorithm: Algorithm, /, *, clock: Clock | None = None) -> None:
        self.custodian = custodian
        self._algorithm: Algorithm = algorithm
        self._clock = SystemClock() if clock is None else clock
        self._opened: dict[str, SigningKey] = {}
        self._making = PerLoop(anyio.Lock)
        self._guard = Lock()  # event loops of several threads share the lists; held for moments, never over an await
        self._spares: list[_Spare] = []
        self._perhaps_used: Counter[str] = Counter()
        self._doomed: list[KeyMaterial] = []

    def check_kind(self, ring: Ring, /) -> None:
        """Refuse to go on with a ring of secrets where public keys are wanted, or the other way round.

        Raises:
            ConfigurationError: The ring's versions are of the other kind (`configuration`).
        """
        symmetric = SPECS[self._algorithm].symmetric
        if any(SPECS[v.material.algorithm].symmetric != symmetric for v in ring.versions if v.still_to_retire):
            # A verifier that takes one kind for the other accepts forgeries (RFC 8725 §2.1).
            raise ConfigurationError(
                f"algorithm {self._algorithm} does not go with the keys of this ring: secrets and public keys are "
                "never mixed, use a ring of its own"
            )

    def opened(self, kid: str, /) -> SigningKey | None:
        """The key, if it is open already."""
        return self._opened.get(kid)

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        """The key, ready to sign.

        Raises:
            KeyProviderError: The custodian cannot be reached, or the handle does not open (`keys_unavailable`).
        """
        key = self._opened.get(material.kid)
        if key is None:
            key = await answer_of(self.custodian.open(material), task=f"open key {material.kid}", deadline=_DEADLINE)
            self._opened[material.kid] = key
        return key

    async def open_ahead(self, ring: Ring, /) -> None:
        """Open the version that signs and the one that signs next, so that nobody has to wait for that.

        Raises:
            KeyProviderError: As for `open`.
        """
        for version in ring.versions:
            if version.still_to_retire:
                await self.open(version.material)

    async def rewrap(self, ring: Ring, /) -> Sequence[Rewrap]:
        """What to change in a ring so that every handle is sealed under the custodian's newest key.

        Raises:
            UnsupportedOperationError: The custodian keeps the keys elsewhere (`unsupported`).
            KeyProviderError: A handle does not open (`keys_unavailable`).
        """
        custodian = self.custodian
        if not isinstance(custodian, Rewrapping):
            raise UnsupportedOperationError(
                "rewrap: private keys of this ring are kept elsewhere, so there is nothing here to seal anew"
            )
        edits: list[Rewrap] = []
        for material in (version.material for version in ring.versions if version.material.handle):
            rewrapping = custodian.rewrap(material)
            anew = await answer_of(rewrapping, task=f"seal key {material.kid} anew", deadline=_DEADLINE)
            if anew.handle != material.handle:
                edits.append(Rewrap(material.kid, material.handle, anew.handle))
        return edits

    def close_all_but(self, kids: frozenset[str], /) -> None:
        """Let go of keys that nobody needs open any more."""
        for kid in self._opened.keys() - kids:
            self._opened.pop(kid, None)

    def spares(self, count: int, ring: Ring, /) -> Sequence[KeyMaterial] | None:
        """So many keys that this ring does not know yet; None if there are not enough, and `make` has to come first."""
        with self._guard:
            self._retire_spares()
            self._spares = [spare for spare in self._spares if not ring.knows(spare.material.kid)]
            return tuple(spare.material for spare in self._spares[:count]) if len(self._spares) >= count else None

    async def make(self, count: int, /) -> None:
        """Have at least so many spare keys. Those that a lost race leaves over serve the next time.

        Raises:
            KeyProviderError: One could not be made; those made before are kept (`keys_unavailable`).
            ConfigurationError: The custodian does not do this algorithm (`configuration`).
        """
        async with self._making.here():
            while len(self._spares) < count:
                creating = self.custodian.create(self._algorithm)
                spare = await answer_of(creating, task=f"create a key for {self._algorithm}")
                with self._guard:
                    self._spares.append(_Spare(spare, self._clock.time()))

    async def make_ahead(self, ring: Ring, /, *, due_in: float) -> None:
        """Have a spare key when the next rotation by time is near, so that nobody waits for it then.

        Args:
            ring: The ring as it is.
            due_in: Seconds until that rotation.

        Raises:
            KeyProviderError: It could not be made (`keys_unavailable`).
        """
        if due_in <= _AHEAD and self.spares(1, ring) is None:
            await self.make(1)

    def used(self, materials: Sequence[KeyMaterial], /) -> None:
        """These are in the ring now."""
        with self._guard:
            self._spares = [spare for spare in self._spares if spare.material not in materials]

    @contextmanager
    def perhaps_used(self, materials: Sequence[KeyMaterial], /) -> Generator[None]:
        """While these are on their way into the ring, whoever closes us meanwhile does not destroy them.

        If that ends with an error nobody will ever know whether they got there: then they may serve again, but are not
        to be destroyed unasked.
        """
        kids = [material.kid for material in materials]
        with self._guard:
            self._perhaps_used.update(kids)
        yield
        with self._guard:
            self._perhaps_used.subtract(kids)

    async def destroy(self, materials: Sequence[KeyMaterial], /) -> None:
        """Destroy keys whose versions are gone, spare ones elsewhere that nobody took, and what failed before."""
        with self._guard:
            self._retire_spares()
            doomed, self._doomed = [*self._doomed, *materials], []
        for material in doomed:
            try:
                destroying = self.custodian.destroy(material)
                await answer_of(destroying, task=f"destroy key {material.kid}", deadline=_DEADLINE)
            except MintkeyError as error:
                # The ring forgot the version already, so only we can try again.
                _logger.warning("%s; trying again later", error)
                with self._guard:
                    self._doomed.append(material)

    async def aclose(self) -> None:
        """Let go of everything; keys that were made and never used are destroyed.

        A custodian with connections is closed, unless somebody entered it.
        """
        with self._guard:
            unused = [spare.material for spare in self._spares if not self._perhaps_used[spare.material.kid]]
            self._spares = []
        self._opened.clear()
        await self.destroy(unused)
        if isinstance(self.custodian, Resource):
            await self.custodian.aclose_unless_open()

    def _retire_spares(self) -> None:
        """Let go of spare keys elsewhere that nobody took for so long that they may have been swept."""
        latest = self._clock.time() - _SPARE_FOR
        old = [spare for spare in self._spares if spare.made_at < latest and _is_elsewhere(spare.material)]
        if old:
            self._spares = [spare for spare in self._spares if spare not in old]
            self._doomed += [spare.material for spare in old if not self._perhaps_used[spare.material.kid]]


def _is_elsewhere(material: KeyMaterial) -> bool:
    """Whether the handle is but the name of a key that others hold."""
    return material.public_jwk is not None and not material.erase_when_retiring
