"""What a provider of keys promises, and the values that it gives out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

__all__ = [
    "Algorithm",
    "BatchSigning",
    "IKeyProvider",
    "JWKSet",
    "KeyResolver",
    "KeyState",
    "KeyVersion",
    "KeysAtHand",
    "Maintained",
    "MintsAtHand",
    "SigningGrant",
    "SigningKey",
    "VerificationKey",
]

Algorithm = Literal[
    "EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "HS384", "HS512"
]
"""The signature algorithms we know (RFC 7518 §3.1, RFC 8037 §3.1).

Example:
    >>> from typing import get_args
    >>> "EdDSA" in get_args(Algorithm)
    True
"""


class KeyState(StrEnum):
    """Where a version stands in its life, computed from its times.

    `pending`: published, not signing yet. `active`: signs. `retiring`: verifies what it signed. `retired`: past its
    time. `revoked`: refused at once, whatever its times say.

    Example:
        >>> KeyState("active").value
        'active'
    """

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


class SigningKey(Protocol):
    """A key that signs. The private half may be anywhere: signing is an operation of the key, no use of its bytes.

    Example:
        ```python
        class OfMyVault:
            def __init__(self, vault: Vault, kid: str) -> None:
                self._vault = vault
                self.kid = kid
                self.algorithm = "ES256"

            async def sign(self, signing_input: bytes, /) -> bytes:
                return await self._vault.sign(self.kid, signing_input)  # the private key never leaves the vault
        ```
    """

    @property
    def kid(self) -> str:
        """The key id that goes into the header (RFC 7515 §4.1.4)."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the key; it goes into the header."""
        ...

    async def sign(self, signing_input: bytes, /) -> bytes:
        """The raw JOSE signature (for ES*: r and s, each of the curve's size, RFC 7518 §3.4).

        Raises:
            KeyProviderError: Whoever holds the key did not sign (`signing_failed`).
        """
        ...


class VerificationKey(Protocol):
    """A key that verifies.

    Example:
        ```python
        keys = StaticKeyResolver(jwks)
        key = await keys.resolve(kid)
        assert not key.verify(b"signed by nobody", b"a signature")
        ```
    """

    @property
    def kid(self) -> str:
        """The key id."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """The one algorithm that this key verifies."""
        ...

    @property
    def verify_until(self) -> datetime | None:
        """The instant from which on nothing by this key is accepted; None: not known yet, or never."""
        ...

    def verify(self, signing_input: bytes, signature: bytes, /) -> bool:
        """Whether the signature is that of this key over this input. Never raises, whatever the bytes."""
        ...


@runtime_checkable
class KeysAtHand(Protocol):
    """A capability of key resolvers: the answer at once, where nobody has to be asked for it."""

    def at_hand(self, kid: str, /) -> VerificationKey | None:
        """What `resolve` would return; None: ask `resolve`."""
        ...


@runtime_checkable
class MintsAtHand(Protocol):
    """A capability of key providers: leave to sign at once, where it was granted beforehand."""

    def grant_at_hand(self) -> "SigningGrant | None":
        """What `acquire()` would return; None: ask `acquire`."""
        ...


@runtime_checkable
class BatchSigning(Protocol):
    """A capability of signing keys: many signatures in one go. Keys that are held in memory have it."""

    async def sign_many(self, signing_inputs: Sequence[bytes], /) -> Sequence[bytes]:
        """The raw JOSE signatures of all inputs, in their order; the event loop goes on meanwhile.

        Raises:
            KeyProviderError: One of them could not be made (`signing_failed`).
        """
        ...


@dataclass(frozen=True, slots=True)
class SigningGrant:
    """Leave to sign so many tokens with a key; they are counted already.

    Example:
        ```python
        grant = await keys.acquire(100)
        signatures = [await grant.key.sign(signing_input) for signing_input in signing_inputs[: grant.count]]
        ```
    """

    key: SigningKey
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVersion:
    """One version of a rotating key, as the outside sees it: times, state and the public half.

    Attributes:
        kid: The key id: RFC 7638 thumbprint of a public key, random for a secret.
        algorithm: The only algorithm this version is used with.
        state: Computed from the times at the moment of the look.
        created_at: Since when it exists, and is published.
        activates_at: From when on it signs; None while that is open.
        retires_at: From when on it no longer signs; None while that is open.
        verify_until: From when on it no longer verifies; None while that is open.
        mints: Tokens counted against it, over the whole fleet.
        public_jwk: The public JWK (RFC 7517); None for a secret.

    Example:
        ```python
        for version in await keys.versions():
            print(version.kid, version.state, version.retires_at, version.mints)
        ```
    """

    kid: str
    algorithm: Algorithm
    state: KeyState
    created_at: datetime
    activates_at: datetime | None
    retires_at: datetime | None
    verify_until: datetime | None
    mints: int
    public_jwk: Mapping[str, Any] | None


class JWKSet:
    """A JWK Set ready to be served (RFC 7517 §5): `as_dict()`, `etag`, `max_age`.

    Args:
        keys: The public JWKs, newest first.
        etag: A strong validator, quotes included (RFC 9110 §8.8.3).
        max_age: How long a verifier may cache the set without ever refusing a good token.

    Example:
        >>> keys = JWKSet([{"kty": "OKP", "kid": "k1"}], etag='"1"', max_age=timedelta(minutes=10))
        >>> keys.as_dict()
        {'keys': [{'kty': 'OKP', 'kid': 'k1'}]}
    """

    __slots__ = ("_keys", "etag", "max_age")

    etag: str
    max_age: timedelta

    def __init__(self, keys: Sequence[Mapping[str, Any]], /, *, etag: str, max_age: timedelta) -> None:
        self._keys = tuple(dict(key) for key in keys)
        self.etag = etag
        self.max_age = max_age

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """The set as the JSON object to serve; the caller may change it."""
        return {"keys": [dict(key) for key in self._keys]}


class KeyResolver(Protocol):
    """Enough to verify: finds the key of a kid.

    Example:
        ```python
        class OfTenant:
            def __init__(self, tenants: dict[str, KeyResolver]) -> None:
                self._tenants = tenants

            async def resolve(self, kid: str, /) -> VerificationKey:
                return await self._tenants[current_tenant.get()].resolve(kid)

            async def aclose(self) -> None:
                for keys in self._tenants.values():
                    await keys.aclose()
        ```
    """

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed.

        Raises:
            KeyNotFoundError: There is no such key (`key_unknown`), or its time is over (`key_retired`).
            KeyRevokedError: It was revoked (`key_revoked`).
            KeyProviderError: The source cannot be asked, so nobody knows (`keys_unavailable`).
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and tasks; closing twice does nothing."""
        ...


class IKeyProvider(KeyResolver, Protocol):
    """Enough to mint: holds the versions of one key and rotates them.

    Example:
        ```python
        async def rotate_by_hand(keys: IKeyProvider) -> str:
            version = await keys.rotate()
            await keys.prune()
            return version.kid
        ```
    """

    @property
    def max_token_age(self) -> timedelta | None:
        """The longest lifetime plus leeway that it can honour; None: no limit."""
        ...

    async def acquire(self, want: int = 1, /, *, kid: str | None = None) -> SigningGrant:
        """Leave to sign 1 … `want` tokens with the version that signs next; rotates first when that is due.

        Args:
            want: How many signatures the caller would like, at least 1.
            kid: Pins the version: the active or the pending one.

        Raises:
            ConfigurationError: The pinned kid is neither active nor pending (`configuration`).
            KeyProviderError: The store is away for longer than is safe (`keys_unavailable`), a pinned version is at its
                cap (`key_exhausted`), or rotation keeps losing against others (`rotation_conflict`).
        """
        ...

    async def versions(self) -> Sequence[KeyVersion]:
        """All versions that are still remembered in full, newest first."""
        ...

    async def rotate(self) -> KeyVersion:
        """Rotate now; the new active version.

        Raises:
            UnsupportedOperationError: This provider is rotated by its operator (`unsupported`).
            KeyProviderError: As for `acquire`.
        """
        ...

    async def revoke(self, kid: str, /, *, reason: str = "") -> None:
        """Refuse everything that this version signed, from now on; a revoked active version is replaced at once.

        Raises:
            KeyNotFoundError: There is no such version (`key_unknown`).
            UnsupportedOperationError: This provider's keys are revoked by its operator (`unsupported`).
            KeyProviderError: As for `acquire`.
        """
        ...

    async def prune(self) -> int:
        """Drop what is past its time; how many versions went."""
        ...

    async def jwks(self) -> JWKSet:
        """The public keys to publish: pending, active and retiring ones."""
        ...


@runtime_checkable
class Maintained(Protocol):
    """A capability of its own: a provider with work that is better done ahead of its callers."""

    async def maintain(self) -> timedelta:
        """Do what is due (refresh, rotate, prune); how long until there may be more to do. Never raises an error."""
        ...
