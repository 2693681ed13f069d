"""Loads keys: the doors through which a key comes in, and the checks behind each of them (RFC 7517, RFC 7518 §6)."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS, AlgorithmSpec, find_spec, spec_of
from mintkey.jose.generation import generate
from mintkey.jose.loaded import LoadedKey, bind, choose_kid, from_native, from_secret
from mintkey.jose.members import UnfitKeyError, check_kid, check_operations, kind_of, octets
from mintkey.jose.native import import_members
from mintkey.jose.pem import load_pem
from mintkey.jose.placeholders import looks_like_placeholder
from mintkey.jose.thumbprint import thumbprint

__all__ = ["LoadedKey", "check_kid", "generate", "load_jwk", "load_jwks", "load_pem", "thumbprint"]

# A public key as an HMAC secret is the oldest attack on JWTs (RFC 8725 §2.1), and an easy slip.
_KEY_TEXTS = (b"-----BEGIN", b"---- BEGIN", b"ssh-", b"ecdsa-sha2-")


def load_jwk(
    jwk: Mapping[str, Any],
    /,
    *,
    source: str,
    algorithm: str | None = None,
    kid: str | None = None,
    made_here: bool = False,
) -> LoadedKey:
    """The key of a JWK, private, public or secret, after every check.

    Blocks for up to a quarter of a second for a private RSA key, whose factors are proved to be primes, and holds all
    threads of the process meanwhile.

    Args:
        jwk: The JWK.
        source: What to call it in an error, as in `"MINTKEY_KEYS, key 2"`.
        algorithm: What the key is for if its own `alg` does not say; None: its curve decides, RSA means RS256, and a
            secret is refused.
        kid: The key's id if it has no `kid` of its own; None: its RFC 7638 thumbprint, and a secret is refused.
        made_here: It is a private key or secret that `generate` made and that was in safe keeping since: instead of
            that proof an RSA key signs something, which takes milliseconds and holds nobody.

    Raises:
        ConfigurationError: There is no such algorithm, or the key is malformed, too weak, a placeholder, or not for
            this algorithm or for signatures; the message names the source and never the content (`configuration`).

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "foreign": 1}
        >>> load_jwk(jwk, source="example").algorithm
        'EdDSA'
    """
    given = None if algorithm is None else spec_of(algorithm)
    try:
        return _load(jwk, given, kid, made_here=made_here)
    except UnfitKeyError as error:
        problem = str(error)
    raise ConfigurationError(f"{source}: {problem}")


def load_jwks(jwks: Mapping[str, Any] | str | bytes, /, *, source: str) -> list[LoadedKey]:
    """The keys of a JWK Set, in its order, after every check (RFC 7517 §5).

    Args:
        jwks: The set, as a mapping or as JSON.
        source: What to call it in an error.

    Raises:
        ConfigurationError: It is no JWK Set, one of its keys is refused, or two have one `kid`; the message names all
            problems, the source and the positions, and never the content (`configuration`).

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        >>> [key.kid for key in load_jwks({"keys": [jwk]}, source="example")]
        ['kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k']
    """
    problems: list[str] = []
    loaded: list[LoadedKey] = []
    for position, jwk in enumerate(_keys_of(jwks, source), start=1):
        try:
            loaded.append(_load(jwk, None, None))
        except UnfitKeyError as error:
            problems.append(f"{source}, key {position}: {error}")
    if any(count > 1 for count in Counter(key.kid for key in loaded).values()):
        problems.append(f"{source}: two keys have the same kid")
    ConfigurationError.raise_if(problems)
    return loaded


def _keys_of(jwks: object, source: str) -> list[object]:
    if isinstance(jwks, str):
        jwks = jwks.encode("utf-8", "surrogatepass")  # the reader refuses what has no place in UTF-8
    if isinstance(jwks, bytes):
        try:
            jwks = strict_json.loads(jwks)
        except strict_json.StrictJSONError as error:
            raise ConfigurationError(f"{source}: {error}") from None
    keys: object = cast("Mapping[str, Any]", jwks).get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list | tuple):
        raise ConfigurationError(f'{source}: not a JWK Set: "keys" is missing or no list')
    return list(cast("list[object]", keys))


def _load(jwk: object, given: AlgorithmSpec | None, kid: str | None, *, made_here: bool = False) -> LoadedKey:
    kty, curve = kind_of(jwk)
    members = cast("Mapping[str, Any]", jwk)
    spec = bind(kty, curve, _declared(members) or given)
    chosen = choose_kid(members.get("kid"), kid)
    may_sign = check_operations(members, private="d" in members or spec.symmetric, secret=spec.symmetric)
    if spec.symmetric:
        return from_secret(_secret(members, spec), spec, kid=_required(chosen), may_sign=may_sign)
    native = import_members(members, spec, made_here=made_here)
    return from_native(native, spec, kid=chosen, may_sign=may_sign)


def _declared(jwk: Mapping[str, Any]) -> AlgorithmSpec | None:
    if jwk.get("alg") is None:
        return None
    spec = find_spec(jwk["alg"])
    if spec is None:
        raise UnfitKeyError(f"alg must be one of {', '.join(SPECS)}")
    return spec


def _required(kid: str | None) -> str:
    # The thumbprint of a secret would let everybody who sees a token test guesses at the secret (RFC 7638 §7).
    if kid is None:
        raise UnfitKeyError("a secret needs a kid")
    return kid


def _secret(jwk: Mapping[str, Any], spec: AlgorithmSpec) -> bytes:
    secret = octets(jwk, "k")
    if len(secret) < spec.digest_size:
        raise UnfitKeyError(f"a secret for {spec.name} must have at least {spec.digest_size} bytes (RFC 7518 §3.2)")
    if secret.startswith(_KEY_TEXTS):
        raise UnfitKeyError("the secret is the text of a key pair's half")
    if looks_like_placeholder(secret):
        raise UnfitKeyError("the secret looks like a placeholder; draw it at random")
    return secret
