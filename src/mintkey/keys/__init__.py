"""Keys: providers that rotate them, stores that keep them, custodians that hold their private halves."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.keys.base import (
    IKeyProvider,
    JWKSet,
    KeyResolver,
    KeyState,
    KeyVersion,
    SigningGrant,
    SigningKey,
    VerificationKey,
)
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyCustodian, KeyMaterial, KeyRingStore, StoredRing
from mintkey.lazily import lazy_names

if TYPE_CHECKING:
    from mintkey.keys.adopting import adopt
    from mintkey.keys.custodians.aws_envelope import AwsKmsEnvelope
    from mintkey.keys.custodians.aws_kms import AwsKmsCustodian
    from mintkey.keys.custodians.moving import MovingCustodian
    from mintkey.keys.custodians.pkcs11 import Pkcs11Custodian
    from mintkey.keys.custodians.pkcs11_pin import Pkcs11Pin
    from mintkey.keys.custodians.sealed import SealedCustodian
    from mintkey.keys.engine import RotatingKeyProvider
    from mintkey.keys.env import EnvKeyProvider
    from mintkey.keys.file import FileKeyProvider
    from mintkey.keys.first_of import FirstOfKeyResolver
    from mintkey.keys.memory import MemoryKeyProvider
    from mintkey.keys.redis import RedisKeyProvider
    from mintkey.keys.remote import JWKSKeyResolver, RemoteKeysState
    from mintkey.keys.sealing import Plaintext, Sealer
    from mintkey.keys.sql import SQLKeyProvider
    from mintkey.keys.static import StaticKeyProvider, StaticKeyResolver
    from mintkey.keys.sweeping import sweep

__all__ = [
    "AwsKmsCustodian",
    "AwsKmsEnvelope",
    "EnvKeyProvider",
    "FileKeyProvider",
    "FirstOfKeyResolver",
    "IKeyProvider",
    "JWKSKeyResolver",
    "JWKSet",
    "KeyCustodian",
    "KeyMaterial",
    "KeyResolver",
    "KeyRingStore",
    "KeyState",
    "KeyVersion",
    "MemoryKeyProvider",
    "MovingCustodian",
    "Pkcs11Custodian",
    "Pkcs11Pin",
    "Plaintext",
    "RedisKeyProvider",
    "RemoteKeysState",
    "RotatingKeyProvider",
    "RotationPolicy",
    "SQLKeyProvider",
    "SealedCustodian",
    "Sealer",
    "SigningGrant",
    "SigningKey",
    "StaticKeyProvider",
    "StaticKeyResolver",
    "StoredRing",
    "VerificationKey",
    "adopt",
    "sweep",
]

__getattr__: Callable[[str], object] = lazy_names(
    __name__,
    {
        "AwsKmsCustodian": "mintkey.keys.custodians.aws_kms",
        "AwsKmsEnvelope": "mintkey.keys.custodians.aws_envelope",
        "EnvKeyProvider": "mintkey.keys.env",
        "FileKeyProvider": "mintkey.keys.file",
        "FirstOfKeyResolver": "mintkey.keys.first_of",
        "JWKSKeyResolver": "mintkey.keys.remote",
        "MemoryKeyProvider": "mintkey.keys.memory",
        "MovingCustodian": "mintkey.keys.custodians.moving",
        "Pkcs11Custodian": "mintkey.keys.custodians.pkcs11",
        "Pkcs11Pin": "mintkey.keys.custodians.pkcs11_pin",
        "Plaintext": "mintkey.keys.sealing",
        "RedisKeyProvider": "mintkey.keys.redis",
        "RemoteKeysState": "mintkey.keys.remote",
        "RotatingKeyProvider": "mintkey.keys.engine",
        "SQLKeyProvider": "mintkey.keys.sql",
        "SealedCustodian": "mintkey.keys.custodians.sealed",
        "Sealer": "mintkey.keys.sealing",
        "StaticKeyProvider": "mintkey.keys.static",
        "StaticKeyResolver": "mintkey.keys.static",
        "adopt": "mintkey.keys.adopting",
        "sweep": "mintkey.keys.sweeping",
    },
)
