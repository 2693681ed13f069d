"""Keys prepared once per version: all choices are made, what is left to do per token is the signature."""

from dataclasses import dataclass, field
from datetime import datetime

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose.algorithms import SPECS
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.signatures import Sign, Verify, signer, verifier
from mintkey.jose.threads import offload, sign_in_thread
from mintkey.keys.base import Algorithm, SigningKey, VerificationKey

__all__ = ["offload", "signing_key", "verification_key"]


def verification_key(key: LoadedKey, /, *, verify_until: datetime | None = None) -> VerificationKey:
    """The key, prepared to verify.

    Args:
        key: A loaded key, of which only the public half (or the secret) is used.
        verify_until: From when on it no longer verifies; whoever holds the key looks at it, `verify` does not.

    Example:
        >>> from mintkey.jose.jwk import generate
        >>> verification_key(generate("EdDSA")).verify(b"input", bytes(64))
        False
    """
    return _Verifier(
        kid=key.kid,
        algorithm=key.algorithm,
        verify_until=verify_until,
        _verify=verifier(key.public, SPECS[key.algorithm]),
    )


def signing_key(key: LoadedKey, /) -> SigningKey:
    """The key, prepared to sign; for a secret it verifies too.

    RSA signs in a worker thread, everything else where it is called: a thread would cost more than the signature.

    Raises:
        ConfigurationError: It has no private half, or its `key_ops` do not let it sign (`configuration`).

    Example:
        >>> import asyncio
        >>> from mintkey.jose.jwk import generate
        >>> len(asyncio.run(signing_key(generate("ES256")).sign(b"input")))
        64
    """
    if key.private is None or not key.can_sign:
        raise ConfigurationError(f"the key {key.kid} cannot sign")
    spec = SPECS[key.algorithm]
    sign = signer(key.private, spec)
    if spec.symmetric:
        return _Secret(
            kid=key.kid, algorithm=key.algorithm, verify_until=None, _verify=verifier(key.public, spec), _sign=sign
        )
    kind = _CostlySigner if spec.costly else _Signer
    return kind(kid=key.kid, algorithm=key.algorithm, _sign=sign)


def _not_signed(error: Exception) -> KeyProviderError:
    return KeyProviderError(f"the key did not sign: {type(error).__name__}", reason=Reason.SIGNING_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verifier:
    kid: str
    algorithm: Algorithm
    verify_until: datetime | None
    _verify: Verify = field(repr=False)

    def verify(self, signing_input: bytes, signature: bytes, /) -> bool:
        try:
            return self._verify(signing_input, signature)
        except Exception:  # noqa: BLE001 - InvalidSignature, and whatever else strange bytes call forth: all mean no
            return False


class _SignsHere:
    __slots__ = ()
    _sign: Sign

    async def sign(self, signing_input: bytes, /) -> bytes:
        try:
            return self._sign(signing_input)
        except Exception as error:
            raise _not_signed(error) from error


class _SignsInThread:
    __slots__ = ()
    _sign: Sign

    async def sign(self, signing_input: bytes, /) -> bytes:
        try:
            return await sign_in_thread(self._sign, signing_input)
        except Exception as error:
            raise _not_signed(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signer(_SignsHere):
    kid: str
    algorithm: Algorithm
    _sign: Sign = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CostlySigner(_SignsInThread):
    kid: str
    algorithm: Algorithm
    _sign: Sign = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secret(_SignsHere, _Verifier):
    _sign: Sign = field(repr=False)
