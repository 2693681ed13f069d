"""Bare JWS: verify a signature by a key at hand, without purposes, rings and claims."""

from collections.abc import Collection, Mapping
from typing import Any

from mintkey.errors import ConfigurationError, Reason, SignatureError
from mintkey.jose.algorithms import SPECS, spec_of
from mintkey.jose.compact import split
from mintkey.jose.header import read_header
from mintkey.jose.jwk import load_jwk
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.members import UnfitKeyError, kind_of
from mintkey.jose.prepared import verification_key

__all__ = ["verify_compact"]

# A bare JWS names its key as it likes (RFC 7517 §4.5 asks for no shape). Private members would only cost time: testing
# those of an RSA key takes longer than a thousand verifications.
_LEFT_OUT = frozenset({"kid", "d", "p", "q", "dp", "dq", "qi"})


def verify_compact(
    token: str, jwk: Mapping[str, Any], /, *, algorithms: Collection[str], max_bytes: int = 16_384
) -> bytes:
    """The payload of a compact JWS, once its signature proved to be that of the key (RFC 7515 §5.2).

    Nothing else is looked at: no time, no audience, no type, no replay. To let somebody in, use `TokenVerifier`.
    The key is prepared at every call, which costs more than the signature.

    Args:
        token: The compact serialisation; its header may have `alg`, `kid` and `typ`. The `kid` is not compared.
        jwk: The key; of a key pair the public half is enough.
        algorithms: The algorithms that this key may be used with, as in `["EdDSA"]`. A JWK with an `alg` of its own is
            used with that one only.
        max_bytes: The longest token to look at.

    Returns:
        The payload, whatever it is.

    Raises:
        ConfigurationError: The key is unfit, or an algorithm is unknown (`configuration`).
        MalformedTokenError: The token is none that we read (`malformed`, `too_large`, `header_unsupported`).
        SignatureError: It names an algorithm that is not allowed or not the key's (`algorithm_mismatch`), or the
            signature is not that of the key (`signature_invalid`).

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        >>> token = (
        ...     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        ...     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        ... )
        >>> verify_compact(token, jwk, algorithms=["EdDSA"])
        b'Example of Ed25519 signing'
    """
    keys = _load(jwk, algorithms)
    signed, segment, payload, signature = split(token, max_bytes)
    key = keys.get(read_header(segment, ()).alg)
    if key is None:
        raise SignatureError("the header's alg is not one of the key's", reason=Reason.ALGORITHM_MISMATCH)
    if not verification_key(key).verify(signed, signature):
        raise SignatureError("the signature is not that of the key")
    return payload


def _load(jwk: Mapping[str, Any], algorithms: Collection[str]) -> dict[str, LoadedKey]:
    """The key, under each spelling of each algorithm that both the caller and the key allow.

    Before the token is looked at, and for all algorithms alike: a bad key is a bad key whatever the token says.
    """
    if isinstance(algorithms, str) or not algorithms:
        raise ConfigurationError("algorithms must be a collection of names, and not empty")
    allowed = {spec.name: spec for spec in map(spec_of, algorithms)}
    try:
        kty, curve = kind_of(jwk)
    except UnfitKeyError as error:
        raise ConfigurationError(f"jwk: {error}") from None
    public = {name: value for name, value in jwk.items() if name not in _LEFT_OUT}
    loaded: list[LoadedKey] = []
    problems: list[str] = []
    for spec in allowed.values():
        if (spec.kty, spec.curve) == (kty, curve):
            try:
                loaded.append(load_jwk(public, source="jwk", algorithm=spec.name, kid="bare"))
            except ConfigurationError as error:
                problems.append(str(error))
    ConfigurationError.raise_if([] if loaded else dict.fromkeys(problems))
    return {name: key for key in loaded if key.algorithm in allowed for name in SPECS[key.algorithm].header_names}
