"""The targets by name, and what of the library each of them reads with: that is what the fuzzer watches."""

from collections.abc import Sequence
from importlib import import_module
from types import MappingProxyType

from tests.security.fuzz.target import Target

__all__ = ["NAMES", "WATCHED", "target_of"]

_READERS = ("mintkey.claims", "mintkey.jose", "mintkey.reading", "mintkey.purpose")

WATCHED = MappingProxyType(
    {
        "text": (*_READERS, "mintkey.verifier"),
        "header": (*_READERS, "mintkey.verifier"),
        "payload": (*_READERS, "mintkey.verifier"),
        "json": ("mintkey.claims",),
        "jwks": ("mintkey.claims", "mintkey.jose", "mintkey.keys.remote_set"),
        "pem": ("mintkey.jose", "mintkey.keys.key_text"),
        "settings": ("mintkey.settings", "mintkey.keys.key_text", "mintkey.keys.key_sources"),
        "urls": (
            "mintkey.places",
            "mintkey.redis.urls",
            "mintkey.redis.sources",
            "mintkey.settings",
            "mintkey.http.urls",
        ),
        "envelope": ("mintkey.claims", "mintkey.bus.envelope"),
        "ring": ("mintkey.claims", "mintkey.keys.document", "mintkey.keys.document_seal", "mintkey.keys.ring"),
    }
)
_ROOMS = MappingProxyType(
    {
        "text": "tokens",
        "header": "tokens",
        "payload": "tokens",
        "json": "json_texts",
        "jwks": "key_sets",
        "pem": "pems",
        "settings": "settings",
        "urls": "urls",
        "envelope": "envelopes",
        "ring": "rings",
    }
)
NAMES: Sequence[str] = tuple(WATCHED)


def target_of(name: str) -> Target:
    """The target of this name."""
    found: Target = getattr(import_module(f"tests.security.fuzz.targets.{_ROOMS[name]}"), name.upper())
    return found
