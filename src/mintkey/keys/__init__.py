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

__all__ = [
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
]

__getattr__: Callable[[str], object] = lazy_names(
    __name__,
    {
        "EnvKeyProvider": "mintkey.keys.env",
        "FileKeyProvider": "mintkey.keys.file",
        "FirstOfKeyResolver": "mintkey.keys.first_of",
        "JWKSKeyResolver": "mintkey.keys.remote",
        "MemoryKeyProvider": "mintkey.keys.memory",
        "Plaintext": "mintkey.keys.sealing",
        "RedisKeyProvider": "mintkey.keys.redis",
        "RemoteKeysState": "mintkey.keys.remote",
        "RotatingKeyProvider": "mintkey.keys.engine",
        "SQLKeyProvider": "mintkey.keys.sql",
        "SealedCustodian": "mintkey.keys.custodians.sealed",
        "Sealer": "mintkey.keys.sealing",
        "StaticKeyProvider": "mintkey.keys.static",
        "StaticKeyResolver": "mintkey.keys.static",
    },
)
