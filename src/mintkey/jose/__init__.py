"""JSON Web Signatures for people who need the bare thing: verify a compact JWS, compute a key's thumbprint.

Inside, the only room that signs and verifies: `compact` is the gate that every token passes, `jwk` the doors through
which keys come in, `prepared` the keys ready for use, `algorithms` the table of what there is.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mintkey.jose.thumbprint import thumbprint
from mintkey.lazily import lazy_names

if TYPE_CHECKING:
    from mintkey.jose.bare import verify_compact

__all__ = ["thumbprint", "verify_compact"]

# Whoever only mints and verifies through a service passes the gate alone, and is spared what loading keys needs.
__getattr__: Callable[[str], object] = lazy_names(__name__, {"verify_compact": "mintkey.jose.bare"})
