"""Keys prepared once per version: all choices are made, what is left to do per token is the signature."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose.algorithms import SPECS
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.signatures import Sign, Verify, signer, verifier
from mintkey.jose.threads import offload, sign_all_here, sign_all_in_threads, sign_fairly
from mintkey.keys.base import Algorithm, SigningKey, VerificationKey

__all__ = ["offload", "signing_key", "verification_key"]

_SignAll = Callable[[Sign, Sequence[bytes]], Awaitable[Sequence[bytes]]]

_LARGEST_ON_THE_SPOT = 4096  # bits; an RSA signature takes 1.6 ms with so many, and 10 ms with twice as many
_AT_ONCE = 16  # signatures on a curve take about as long as one or two by RSA
_RSA_AT_ONCE = 2


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
        verify=verifier(key.public, SPECS[key.algorithm]),
    )


def signing_key(key: LoadedKey, /) -> SigningKey:
    """The key, prepared to sign; for a secret it verifies too.

    Every key signs where it is called, but for RSA when several callers want a signature at once: they share worker
    threads, which would cost more than any other signature. What is signed by the hundred uses all cores.

    Raises:
        ConfigurationError: It has no private half, or its `key_ops` do not let it sign (`configuration`).

    Example:
        >>> import asyncio
        >>> from mintkey.jose.jwk import generate
        >>> len(asyncio.run(signing_key(generate("ES256")).sign(b"input")))
        64
    """
    private = key.private if key.can_sign else None
    if private is None:
        raise ConfigurationError(f"the key {key.kid} cannot sign")
    spec = SPECS[key.algorithm]
    kid, algorithm, sign = key.kid, key.algorithm, signer(private, spec)
    if spec.symmetric:
        verify = verifier(key.public, spec)
        return _Secret(
            kid=kid, algorithm=algorithm, verify_until=None, verify=verify, _sign=sign, _sign_all=sign_all_here
        )
    if isinstance(private, RSAPrivateKey):
        is_slow = private.key_size > _LARGEST_ON_THE_SPOT
        sign_all = partial(sign_all_in_threads, at_once=_RSA_AT_ONCE, is_slow=is_slow)
        return _RSASigner(kid=kid, algorithm=algorithm, _sign=sign, _sign_all=sign_all, _is_slow=is_slow)
    return _Signer(kid=kid, algorithm=algorithm, _sign=sign, _sign_all=partial(sign_all_in_threads, at_once=_AT_ONCE))


def _not_signed(error: Exception) -> KeyProviderError:
    return KeyProviderError(f"the key did not sign: {type(error).__name__}", reason=Reason.SIGNING_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verifier:
    kid: str
    algorithm: Algorithm
    verify_until: datetime | None
    verify: Verify = field(repr=False)


class _Signs:
    __slots__ = ()
    _sign: Sign
    _sign_all: _SignAll

    async def sign(self, signing_input: bytes, /) -> bytes:
        try:
            return self._sign(signing_input)
        except Exception as error:
            raise _not_signed(error) from error

    async def sign_many(self, signing_inputs: Sequence[bytes], /) -> Sequence[bytes]:
        try:
            return await self._sign_all(self._sign, signing_inputs)
        except Exception as error:
            raise _not_signed(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signer(_Signs):
    kid: str
    algorithm: Algorithm
    _sign: Sign = field(repr=False)
    _sign_all: _SignAll = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RSASigner(_Signer):
    _is_slow: bool = field(repr=False)

    async def sign(self, signing_input: bytes, /) -> bytes:
        try:
            return await sign_fairly(self._sign, signing_input, is_slow=self._is_slow)
        except Exception as error:
            raise _not_signed(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secret(_Signs, _Verifier):
    _sign: Sign = field(repr=False)
    _sign_all: _SignAll = field(repr=False)
