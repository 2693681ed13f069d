"""Key pairs as PKCS#11 objects: how they are made, found, read and used."""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose import base64url
from mintkey.jose.algorithms import AlgorithmSpec
from mintkey.jose.jwk import load_jwk
from mintkey.jose.loaded import LoadedKey
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.pkcs11_api import (
    MGF,
    AbsentKeyError,
    Attribute,
    KeyType,
    Mechanism,
    MechanismFlag,
    MultipleObjectsReturned,
    ObjectClass,
    Session,
)
from mintkey.keys.custodians.pkcs11_names import Label, attributes_of
from mintkey.keys.custodians.pkcs11_sessions import OwnSession

__all__ = [
    "PRIVATE",
    "PUBLIC",
    "find",
    "find_one",
    "generate",
    "private_key",
    "public_half",
    "sign",
    "signature_size",
]

PRIVATE, PUBLIC = ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY

_KEY_TYPES = MappingProxyType({"EC": KeyType.EC, "OKP": KeyType.EC_EDWARDS, "RSA": KeyType.RSA})
_CURVES = MappingProxyType(  # object identifiers in DER, as CKA_EC_PARAMS wants them
    {
        "P-256": bytes.fromhex("06082a8648ce3d030107"),
        "P-384": bytes.fromhex("06052b81040022"),
        "P-521": bytes.fromhex("06052b81040023"),
        "Ed25519": bytes.fromhex("06032b6570"),
    }
)
_MECHANISMS: Mapping[Algorithm, tuple[Mechanism, Any]] = MappingProxyType(
    {
        "EdDSA": (Mechanism.EDDSA, None),
        # The digest is made here, which every token can do without: few know the hashes of ECDSA.
        "ES256": (Mechanism.ECDSA, None),
        "ES384": (Mechanism.ECDSA, None),
        "ES512": (Mechanism.ECDSA, None),
        "RS256": (Mechanism.SHA256_RSA_PKCS, None),
        "RS384": (Mechanism.SHA384_RSA_PKCS, None),
        "RS512": (Mechanism.SHA512_RSA_PKCS, None),
        # The salt is as long as the hash (RFC 7518 §3.5).
        "PS256": (Mechanism.SHA256_RSA_PKCS_PSS, (Mechanism.SHA256, MGF.SHA256, 32)),
        "PS384": (Mechanism.SHA384_RSA_PKCS_PSS, (Mechanism.SHA384, MGF.SHA384, 48)),
        "PS512": (Mechanism.SHA512_RSA_PKCS_PSS, (Mechanism.SHA512, MGF.SHA512, 64)),
    }
)

_OCTET_STRING = 0x04


def find(session: Session, kind: ObjectClass, wanted: Mapping[Attribute, Any], /) -> Sequence[Any]:
    """The objects of a class that have these attributes."""
    return list(session.get_objects({Attribute.CLASS: kind, **wanted}))


def find_one(session: Session, kind: ObjectClass, wanted: Mapping[Attribute, Any], /) -> Any:
    """The one object of a class that has these attributes.

    Raises:
        AbsentKeyError: There is none.
        MultipleObjectsReturned: There are several.
    """
    found = find(session, kind, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise MultipleObjectsReturned("there are several such keys")
    raise AbsentKeyError(repr(wanted))


def private_key(session: OwnSession, handle: str, /) -> Any:
    """The private key with this handle; it is looked for once in every session.

    Raises:
        KeyProviderError: It must not sign (`keys_unavailable`).
        AbsentKeyError: There is none.
        MultipleObjectsReturned: There are several.
    """
    key = session.keys.get(handle)
    if key is None:
        key = find_one(session.raw, PRIVATE, attributes_of(handle))
        if not hasattr(key, "sign"):
            raise KeyProviderError("the key on the token is not for signing (CKA_SIGN)")
        session.keys[handle] = key
    return key


def public_half(key: Any, spec: AlgorithmSpec, /) -> LoadedKey:
    """What a public key on the token is as a JWK.

    Raises:
        ConfigurationError: It is not for this algorithm, or too weak (`configuration`).
    """
    members: dict[str, str] = {"kty": spec.kty}
    if key[Attribute.KEY_TYPE] != _KEY_TYPES[spec.kty]:
        raise ConfigurationError(f"the key on the token does not fit the algorithm {spec.name}")
    if spec.kty == "RSA":
        numbers = {"n": key[Attribute.MODULUS], "e": key[Attribute.PUBLIC_EXPONENT]}
        members |= {name: base64url.encode(number.lstrip(b"\0")) for name, number in numbers.items()}
    else:
        members |= {"crv": str(spec.curve), **_point(key[Attribute.EC_POINT], spec)}
    return load_jwk(members, source="the key on the token", algorithm=spec.name)


def _point(point: bytes, spec: AlgorithmSpec) -> dict[str, str]:
    size = spec.coordinate_size
    length = 1 + 2 * size if spec.kty == "EC" else size
    # An octet string in DER, as the standard has it; some tokens give what is in it. Its length is 1 or 2 bytes long.
    if len(point) > length and point[0] == _OCTET_STRING:
        point = point[-length:]
    if spec.kty == "OKP":
        return {"x": base64url.encode(point)}
    return {"x": base64url.encode(point[1 : 1 + size]), "y": base64url.encode(point[1 + size :])}


def generate(
    session: Session, spec: AlgorithmSpec, /, *, rsa_bits: int, key_id: bytes, label: Label
) -> tuple[Any, Any]:
    """A new key pair on the token, public key first; the private one never leaves it."""
    of_both: dict[str, Any] = {
        "id": key_id,
        "label": str(label),
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    }
    if spec.kty == "RSA":
        return session.generate_keypair(KeyType.RSA, rsa_bits, **of_both)
    curve = {Attribute.EC_PARAMS: _CURVES[str(spec.curve)]}
    return session.create_domain_parameters(_KEY_TYPES[spec.kty], curve, local=True).generate_keypair(**of_both)


def signature_size(key: LoadedKey, spec: AlgorithmSpec, /) -> int:
    """How long its signatures are, in bytes."""
    members = key.public_jwk or {}  # a secret is none of ours
    return 2 * spec.coordinate_size or len(base64url.decode(members["n"]))


def sign(key: Any, spec: AlgorithmSpec, signing_input: bytes, size: int, /) -> bytes:
    """The raw JOSE signature by a private key.

    Args:
        key: The private key, in a session of this thread.
        spec: Its algorithm.
        signing_input: What to sign.
        size: How long the signature must be, in bytes.

    Raises:
        KeyProviderError: It is of another length (`signing_failed`).
    """
    mechanism, parameter = _MECHANISMS[spec.name]
    data = hashlib.new(spec.digest, signing_input).digest() if spec.kty == "EC" else signing_input
    signature: bytes = key.sign(data, mechanism=mechanism, mechanism_param=parameter)
    if len(signature) != size:
        raise KeyProviderError(
            f"the token signed with {len(signature)} bytes instead of {size}", reason=Reason.SIGNING_FAILED
        )
    return signature
