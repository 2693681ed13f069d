"""Keys handed over as a JWK Set: rotated by their operator, not by us."""

from collections.abc import Mapping
from typing import Any

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import load_jwks
from mintkey.keys.base import VerificationKey
from mintkey.keys.fixed import FixedKeyProvider, KeySet, Verifiers
from mintkey.lifecycle import Resource

__all__ = ["StaticKeyProvider", "StaticKeyResolver"]


class StaticKeyProvider(FixedKeyProvider):
    """An `IKeyProvider` over a JWK Set with private keys, or with secrets (RFC 7517 §5).

    One key signs, all of them verify. To rotate, an operator adds the next key, deploys, waits until verifiers know it
    (the JWK Set may be cached for five minutes), and then names it as the active one. Mints are not counted.

    The set is loaded when the provider is made, so that mistakes show at once: some 0.1 s for a private RSA key.

    Args:
        jwks: The JWK Set, as a mapping or as JSON.
        active: The kid of the key that signs; may be left out only when one key can.
        clock: Where time comes from; by default the machine's.

    Raises:
        ConfigurationError: It is no JWK Set, a key is refused, two have one kid, there are secrets beside public keys,
            or it is not clear which key signs (`configuration`).

    Example:
        >>> from mintkey.jose.jwk import generate
        >>> key = generate("EdDSA")
        >>> provider = StaticKeyProvider({"keys": [key.private_jwk]})
        >>> import asyncio
        >>> asyncio.run(provider.acquire()).key.kid == key.kid
        True
    """

    def __init__(
        self, jwks: Mapping[str, Any] | str | bytes, *, active: str | None = None, clock: Clock | None = None
    ) -> None:
        self._set = KeySet(
            load_jwks(jwks, source="StaticKeyProvider.jwks"),
            active=active,
            source="StaticKeyProvider.jwks",
            setting="StaticKeyProvider.active",
            now=(clock or SystemClock()).time(),
        )

    def __repr__(self) -> str:
        return f"<StaticKeyProvider of {len(self._set.ring.versions)} key(s), {self._set.signer.kid} signs>"

    async def _keys(self) -> KeySet:
        return self._set


class StaticKeyResolver(Resource):
    """A `KeyResolver` over a JWK Set of public keys: enough to verify.

    Private halves that the set holds are let go of at once.

    Args:
        jwks: The JWK Set, as a mapping or as JSON.

    Raises:
        ConfigurationError: It is no JWK Set, is empty, holds a secret, a key is refused, or two have one kid
            (`configuration`).

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"}
        >>> import asyncio
        >>> asyncio.run(StaticKeyResolver({"keys": [jwk]}).resolve("a")).algorithm
        'EdDSA'
    """

    def __init__(self, jwks: Mapping[str, Any] | str | bytes) -> None:
        keys = load_jwks(jwks, source="StaticKeyResolver.jwks")
        problems: list[str] = []
        if not keys:
            problems.append("StaticKeyResolver.jwks holds no key")
        if any(key.public_jwk is None for key in keys):
            # Whoever can verify with a secret can sign with it; a resolver is for those who must not.
            problems.append("StaticKeyResolver.jwks holds a secret; use StaticKeyProvider for it")
        ConfigurationError.raise_if(problems)
        self._kids = tuple(key.kid for key in keys)
        self._verifiers = Verifiers(keys)

    def __repr__(self) -> str:
        return f"<StaticKeyResolver of {len(self._kids)} key(s)>"

    async def resolve(self, kid: str, /) -> VerificationKey:
        """The key that verifies what this kid signed.

        Raises:
            KeyNotFoundError: There is no such key (`key_unknown`).
        """
        return self._verifiers.find(kid)
