"""A provider over keys that its operator rotates: everything but where the keys come from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta

from mintkey.errors import ConfigurationError, KeyNotFoundError, UnsupportedOperationError
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.keys.base import JWKSet, KeyVersion, SigningGrant, SigningKey, VerificationKey
from mintkey.keys.jwks import render
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion
from mintkey.keys.views import describe_all
from mintkey.lifecycle import Resource

__all__ = ["FixedKeyProvider", "KeySet", "Verifiers"]

# How long verifiers may cache the set. Whoever publishes a key for that long before naming it as the active one never
# has a good token refused.
_MAX_AGE = timedelta(minutes=5)


class Verifiers:
    """The verifying halves of some keys, by kid; private halves are not kept.

    Args:
        keys: The keys, each kid once.
    """

    def __init__(self, keys: Sequence[LoadedKey], /) -> None:
        self._keys = {key.kid: verification_key(key) for key in keys}

    def find(self, kid: str, /) -> VerificationKey:
        """The key of a kid, compared whole.

        Raises:
            KeyNotFoundError: There is none (`key_unknown`).
        """
        key = self._keys.get(kid)
        if key is None:
            raise KeyNotFoundError("no key of the set has this kid")
        return key


class KeySet:
    """Keys of which one signs, as a ring that never changes.

    Args:
        keys: The keys, each kid once.
        active: The kid that signs; None: the only key that can.
        source: What to call the keys in an error.
        setting: What to call `active` in an error.
        now: Seconds since the epoch, since when this process has the keys.

    Raises:
        ConfigurationError: No key can sign, several can and none is named, the named one cannot, or there are secrets
            beside public keys; all problems at once (`configuration`).
    """

    def __init__(
        self, keys: Sequence[LoadedKey], /, *, active: str | None, source: str, setting: str, now: float
    ) -> None:
        able = [key for key in keys if key.can_sign]
        chosen = able[:1] if active is None else [key for key in able if key.kid == active]
        ConfigurationError.raise_if(_problems(keys, able, chosen, active=active, source=source, setting=setting))
        signer = chosen[0]
        others = [key for key in keys if key is not signer]
        self.ring: Ring = Ring((*(_version(key, now, signs=False) for key in reversed(others)), _version(signer, now)))
        self.signer: SigningKey = signing_key(signer)
        self.verifiers: Verifiers = Verifiers(keys)
        self.loaded_at: float = now


class FixedKeyProvider(Resource, ABC):
    """An `IKeyProvider` whose keys change only when its operator changes them."""

    @property
    def max_token_age(self) -> timedelta | None:
        """None: these keys have no end that we know of."""
        return None

    async def acquire(self, want: int = 1, /, *, kid: str | None = None) -> SigningGrant:
        """Leave to sign `want` tokens with the active key; nothing is counted.

        Raises:
            ConfigurationError: The pinned kid is not the active one, or `want` is below one (`configuration`).
        """
        keys = await self._keys()
        if want < 1:
            raise ConfigurationError("acquire: want must be at least 1")
        if kid is not None and kid != keys.signer.kid:
            raise ConfigurationError("acquire: only the active key of a fixed set signs; kid names another one")
        return SigningGrant(keys.signer, want)

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed.

        Raises:
            KeyNotFoundError: There is no such key (`key_unknown`).
        """
        return (await self._keys()).verifiers.find(kid)

    async def versions(self) -> Sequence[KeyVersion]:
        """The keys, the active one in front; all others only verify. Times count from when this process loaded them."""
        keys = await self._keys()
        return describe_all(keys.ring, keys.loaded_at, mints={})

    async def rotate(self) -> KeyVersion:
        """Not here.

        Raises:
            UnsupportedOperationError: Always; the message says what to do instead (`unsupported`).
        """
        raise UnsupportedOperationError(
            f"{type(self).__name__} is rotated by its operator: add the new key to the set, "
            "wait until every verifier knows it, then name it as the active one"
        )

    async def revoke(self, kid: str, /, *, reason: str = "") -> None:  # noqa: ARG002 - the shape of the port
        """Not here.

        Raises:
            UnsupportedOperationError: Always; the message says what to do instead (`unsupported`).
        """
        raise UnsupportedOperationError(
            f"{type(self).__name__} is changed by its operator: take the key out of the set and restart every process"
        )

    async def prune(self) -> int:
        """0: nothing here comes to its end."""
        return 0

    async def jwks(self) -> JWKSet:
        """The public keys to publish; empty if the keys are secrets."""
        keys = await self._keys()
        return render(keys.ring, keys.loaded_at, max_age=_MAX_AGE)

    @abstractmethod
    async def _keys(self) -> KeySet:
        """The keys, loaded at the first call at the latest."""


def _problems(
    keys: Sequence[LoadedKey],
    able: Sequence[LoadedKey],
    chosen: Sequence[LoadedKey],
    *,
    active: str | None,
    source: str,
    setting: str,
) -> list[str]:
    problems: list[str] = []
    # Never mixed: where both are accepted, sooner or later a public key is taken for a secret (RFC 8725 §2.1).
    if len({key.public_jwk is None for key in keys}) > 1:
        problems.append(f"{source} holds secrets beside public keys; keep them apart")
    able_kids = ", ".join(sorted(key.kid for key in able))
    if not able:
        problems.append(f"{source} holds no key that can sign; to verify only, use StaticKeyResolver")
    elif not chosen:
        problems.append(f"{setting} names no key of {source} that can sign; these can: {able_kids}")
    elif active is None and len(able) > 1:
        problems.append(f"{setting} must name the key that signs, because several can: {able_kids}")
    return problems


def _version(key: LoadedKey, now: float, *, signs: bool = True) -> RingVersion:
    """A key as a version: the active one signs since it was loaded, the others stopped before."""
    material = KeyMaterial(kid=key.kid, algorithm=key.algorithm, public_jwk=key.public_jwk, handle="")
    return RingVersion(material=material, created_at=now, activates_at=now, retires_at=None if signs else now)
