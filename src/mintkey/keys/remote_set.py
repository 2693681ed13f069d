"""A JWK Set that somebody else publishes, key by key: what can be used is, what cannot is skipped and told. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import load_jwk
from mintkey.jose.loaded import LoadedKey
from mintkey.jose.prepared import verification_key
from mintkey.keys.base import Algorithm, VerificationKey

__all__ = ["RemoteSet", "UnfitSetError", "read_set"]

_MOST_KEYS = 1000
_MOST_TOLD = 32
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class UnfitSetError(ValueError):
    """A document without a single key for us. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class RemoteSet:
    """The keys of a set that can be used.

    Attributes:
        verifiers: By kid.
        skipped: Why the others cannot, a sentence each that begins with the key's place; so many are told at most.
    """

    verifiers: Mapping[str, VerificationKey] = field(repr=False)
    skipped: tuple[str, ...]


def read_set(document: Mapping[str, Any], algorithms: Collection[Algorithm], /) -> RemoteSet:
    """The usable keys of a JWK Set (RFC 7517 §5). Takes a fraction of a millisecond for each key.

    Each key stands by itself: one that is of no use must not take the others with it. Skipped are keys that are not for
    signatures, of a kind or an algorithm that is not used here, too weak, without a kid, secret, or published with
    their private half: whoever can read such a set can sign. Two different keys of one kid are both skipped, because
    nobody can tell which one is meant.

    Args:
        document: The set, as it came.
        algorithms: What keys may be for; a key is bound to one of them by its `alg`, else by its curve. RSA means
            RS256, unless this names exactly one other algorithm of RSA.

    Raises:
        UnfitSetError: It is no set, too large a one, or no key of it can be used.

    Example:
        >>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"}
        >>> found = read_set({"keys": [jwk, {"kty": "oct", "k": "c2VjcmV0"}]}, ["EdDSA"])
        >>> list(found.verifiers), found.skipped
        (['a'], ('key 2: a secret, which nobody may publish',))
    """
    entries: object = document.get("keys")
    if not isinstance(entries, list):
        raise UnfitSetError('no JWK Set: "keys" is missing or no list')
    jwks = cast("list[object]", entries)
    if len(jwks) > _MOST_KEYS:
        raise UnfitSetError(f"the JWK Set has more than {_MOST_KEYS} keys")
    skipped: list[str] = []
    loaded: dict[str, LoadedKey] = {}
    ambiguous: set[str] = set()
    for position, jwk in enumerate(jwks, start=1):
        key = _load(jwk, algorithms)
        if isinstance(key, str):
            skipped.append(f"key {position}: {key}")
        elif loaded.setdefault(key.kid, key).public_jwk != key.public_jwk:
            ambiguous.add(key.kid)
            skipped.append(f"key {position}: its kid is that of another key, so that neither is used")
    verifiers = {kid: verification_key(key) for kid, key in loaded.items() if kid not in ambiguous}
    if not verifiers:
        reasons = f" ({'; '.join(skipped[:_MOST_TOLD])})" if skipped else ""
        raise UnfitSetError(f"the JWK Set has no key that can be used{reasons}")
    return RemoteSet(MappingProxyType(verifiers), tuple(skipped[:_MOST_TOLD]))


def _load(jwk: object, algorithms: Collection[Algorithm]) -> LoadedKey | str:
    """The key, or why it is skipped."""
    if not isinstance(jwk, dict):
        return "no JWK"
    members = cast("dict[str, Any]", jwk)
    if (problem := _problem(members)) is not None:
        return problem
    try:
        key = load_jwk(members, source="key", algorithm=_algorithm_of_rsa(members, algorithms))
    except ConfigurationError as error:
        return str(error).removeprefix("key: ")
    return key if key.algorithm in algorithms else f"for {key.algorithm}, which is not among the algorithms"


def _problem(jwk: Mapping[str, Any]) -> str | None:
    """What no loader of keys minds, but everybody should who reads a public set."""
    if jwk.get("kty") == "oct" or "k" in jwk:
        return "a secret, which nobody may publish"
    if _PRIVATE & jwk.keys():
        return "published with private members: whoever read them can sign with it"
    return "without a kid" if jwk.get("kid") is None else None


def _algorithm_of_rsa(jwk: Mapping[str, Any], algorithms: Collection[Algorithm]) -> Algorithm | None:
    """What an RSA key without `alg` is for, if that is another algorithm than RS256."""
    if jwk.get("kty") != "RSA" or "RS256" in algorithms:
        return None
    named: list[Algorithm] = [name for name in algorithms if SPECS[name].kty == "RSA"]
    return named[0] if len(named) == 1 else None
