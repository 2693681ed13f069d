"""What a process knows of a ring at a moment: immutable, and replaced in one assignment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import cast

from mintkey.clock import from_timestamp
from mintkey.errors import ConfigurationError, KeyNotFoundError, KeyProviderError, KeyRevokedError, MintkeyError, Reason
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import verification_key
from mintkey.keys.base import Algorithm, VerificationKey
from mintkey.keys.keychain import Keychain
from mintkey.keys.ports import StoredRing
from mintkey.keys.ring import Ring, RingVersion

__all__ = ["NO_VERIFIERS", "Snapshot", "Verifier", "prepare_verifiers"]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key ready to verify, and until when it may: infinity while that is open."""

    until: float
    key: VerificationKey


NO_VERIFIERS: Mapping[str, Verifier] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A ring as the store confirmed it last.

    Attributes:
        ring: All versions and tombstones.
        stored: What it was read from; None if the store has no ring yet.
        signing_kid: The version that signs; empty while there is none.
        change_due_at: When the ring is to be changed, in seconds since the epoch.
        checked_at: When the store confirmed it, in monotonic seconds.
        fresh_until: Until when nobody needs to look whether it changed, in monotonic seconds.
        look: The number of the look that its counts are from.
        verifiers: By kid, the versions that verify, unless their time is over by now.
    """

    ring: Ring
    stored: StoredRing | None = field(repr=False)
    signing_kid: str
    change_due_at: float
    checked_at: float
    fresh_until: float
    look: int
    verifiers: Mapping[str, Verifier] = field(repr=False)

    @property
    def mints(self) -> Mapping[str, int]:
        """What the store counted, by kid."""
        return {} if self.stored is None else self.stored.mints

    def verifier(self, kid: str, now: float, /) -> VerificationKey | None:
        """The key that verifies what a kid signed; None if this ring never knew the kid.

        Args:
            kid: The key id, compared whole.
            now: Seconds since the epoch.

        Raises:
            KeyRevokedError: It was revoked (`key_revoked`).
            KeyNotFoundError: Its time is over (`key_retired`).
            KeyProviderError: It is a secret that its custodian could not open (`keys_unavailable`).
        """
        version, stone = self.ring.find(kid), self.ring.tombstone(kid)
        if version is None and stone is None:
            return None
        if (version is not None and version.revoked_at is not None) or (stone is not None and stone.revoked):
            raise KeyRevokedError("the key of this token was revoked", details={"kid": kid})
        if version is None or not version.verifies_at(now):
            raise KeyNotFoundError(
                "the key of this token is past its time", reason=Reason.KEY_RETIRED, details={"kid": kid}
            )
        found = self.verifiers.get(kid)
        if found is None:
            raise KeyProviderError(f"key {kid} could not be opened by its custodian", details={"kid": kid})
        return found.key


async def prepare_verifiers(
    ring: Ring, known: Mapping[str, Verifier], keychain: Keychain, /, *, name: str
) -> Mapping[str, Verifier]:
    """Every version that may verify, ready to do so.

    Args:
        ring: The ring.
        known: Those that were prepared before; what did not change is taken over.
        keychain: Opens secrets.
        name: The ring's name, for errors.

    Raises:
        KeyProviderError: A public key in the ring is none (`keys_unavailable`).
    """
    verifiers: dict[str, Verifier] = {}
    for version in ring.versions:
        if version.revoked_at is not None:
            continue
        until = inf if version.verify_until is None else version.verify_until
        before = known.get(version.kid)
        if before is not None and before.until == until:
            verifiers[version.kid] = before
        elif (key := await _prepare(version, keychain, name)) is not None:
            verifiers[version.kid] = Verifier(until, key)
    return verifiers


async def _prepare(version: RingVersion, keychain: Keychain, name: str) -> VerificationKey | None:
    verify_until = None if version.verify_until is None else from_timestamp(version.verify_until)
    if version.material.public_jwk is None:
        try:
            # The port promises that an opened secret verifies.
            secret = cast("VerificationKey", await keychain.open(version.material))
        except MintkeyError:
            return None  # one key that does not open must not hide what became of the others
        return _Secret(secret.kid, secret.algorithm, secret.verify, verify_until)
    try:
        loaded = load_jwk(version.material.public_jwk, source=f"ring {name!r}")
    except ConfigurationError as error:
        problem = str(error)
    else:
        if (loaded.kid, loaded.algorithm) == (version.kid, version.material.algorithm):
            return verification_key(loaded, verify_until=verify_until)
        problem = f"ring {name!r}: a public key is not the one that its version names"
    raise KeyProviderError(problem, details={"ring": name, "kid": version.kid})


@dataclass(frozen=True, slots=True)
class _Secret:
    """An opened secret whose end is known; the custodian does not know it."""

    kid: str
    algorithm: Algorithm
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    verify_until: datetime | None
