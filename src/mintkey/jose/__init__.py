"""JSON Web Signatures for people who need the bare thing: verify a compact JWS, compute a key's thumbprint.

Inside, the only room that signs and verifies: `compact` is the gate that every token passes, `jwk` the doors through
which keys come in, `prepared` the keys ready for use, `algorithms` the table of what there is.
"""

from mintkey.jose.bare import verify_compact
from mintkey.jose.thumbprint import thumbprint

__all__ = ["thumbprint", "verify_compact"]
