"""OAuth: tokens for our own requests, what other issuers say about themselves, and the small parts of flows."""

from importlib import import_module
from typing import TYPE_CHECKING

from mintkey.lazily import lazy_names

if TYPE_CHECKING:
    from mintkey.oauth import introspection, pkce, revocation, state
    from mintkey.oauth.client_authentication import PrivateKeyJWT
    from mintkey.oauth.client_credentials import ClientCredentials
    from mintkey.oauth.discovery import discover
    from mintkey.oauth.metadata import ProviderMetadata

__all__ = [
    "ClientCredentials",
    "PrivateKeyJWT",
    "ProviderMetadata",
    "discover",
    "introspection",
    "pkce",
    "revocation",
    "state",
]

_MODULES = frozenset({"introspection", "pkce", "revocation", "state"})
_defined_elsewhere = lazy_names(
    __name__,
    {
        "ClientCredentials": "mintkey.oauth.client_credentials",
        "PrivateKeyJWT": "mintkey.oauth.client_authentication",
        "ProviderMetadata": "mintkey.oauth.metadata",
        "discover": "mintkey.oauth.discovery",
    },
)


def __getattr__(name: str) -> object:
    return import_module(f"{__name__}.{name}") if name in _MODULES else _defined_elsewhere(name)
