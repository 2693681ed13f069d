"""Loads PEM keys (RFC 7468): PKCS#8, SubjectPublicKeyInfo, and the older forms of OpenSSL."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import spec_of
from mintkey.jose.loaded import LoadedKey, bind, choose_kid, from_native
from mintkey.jose.members import UnfitKeyError
from mintkey.jose.native import PrivateNative, PublicNative, inspect, quietly

__all__ = ["load_pem"]

_HINTS: Mapping[bytes, str] = {
    b"ENCRYPTED": "the private key is encrypted; decrypt it first",
    b"BEGIN CERTIFICATE": "a certificate; the public key in it is needed",
    b"BEGIN OPENSSH": "the key is in OpenSSH's own format; convert it to PKCS#8 first",
}


def load_pem(pem: str | bytes, /, *, source: str, algorithm: str | None = None, kid: str | None = None) -> LoadedKey:
    """The key in a PEM text, private or public, after every check.

    Blocks for up to a quarter of a second for a private RSA key, whose numbers are tested.

    Args:
        pem: The text; more than one key in it is not looked for.
        source: What to call it in an error, as in `"TOKEN_PRIVATE_KEY_a"`.
        algorithm: What the key is for; None: its curve decides, RSA means RS256.
        kid: The key's id; None: its RFC 7638 thumbprint.

    Raises:
        ConfigurationError: There is no such algorithm, or the key is unreadable, encrypted, too weak or not for this
            algorithm; the message names the source and never the content (`configuration`).

    Example:
        >>> pem = '''-----BEGIN PUBLIC KEY-----
        ... MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        ... -----END PUBLIC KEY-----'''
        >>> load_pem(pem, source="key.pem").kid
        'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
    """
    named = None if algorithm is None else spec_of(algorithm)
    try:
        native = _read(pem)
        return from_native(native, bind(*inspect(native), named), kid=choose_kid(None, kid))
    except UnfitKeyError as error:
        problem = str(error)
    raise ConfigurationError(f"{source}: {problem}")


def _read(pem: str | bytes) -> PrivateNative | PublicNative:
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    native: object
    if b"PRIVATE KEY-----" in data:
        native = quietly(lambda: load_pem_private_key(data, password=None))
    else:
        native = quietly(lambda: load_pem_public_key(data))
    if isinstance(native, PrivateNative | PublicNative):
        return native
    if native is not None:
        raise UnfitKeyError("a key of this kind is not used for signatures here")
    for marker, problem in _HINTS.items():
        if marker in data:
            raise UnfitKeyError(problem)
    raise UnfitKeyError("not a PEM key that can be read")
