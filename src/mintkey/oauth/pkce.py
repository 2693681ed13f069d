"""PKCE: only who began an authorization can end it (RFC 7636). `S256` alone; `plain` protects from nobody.

A client makes a verifier and sends its challenge along; whoever steals the code that comes back does not have the
verifier. An authorization server keeps the challenge and compares.
"""

import hashlib
import hmac
import re

from mintkey import ids
from mintkey.errors import ConfigurationError
from mintkey.jose import base64url

__all__ = ["METHOD", "challenge", "matches", "new_verifier"]

METHOD = "S256"
"""The `code_challenge_method` to send, and the only one that is accepted (RFC 7636 §4.3).

Example:
    >>> {"code_challenge": challenge("v" * 43), "code_challenge_method": METHOD}["code_challenge_method"]
    'S256'
"""

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_RANDOM_BYTES = 32


def new_verifier() -> str:
    """A `code_verifier`: 256 random bits as 43 characters of base64url (RFC 7636 §4.1).

    Keep it where the browser's redirect finds it again and nobody else does: in the user's session, or in a cookie that
    is `HttpOnly`, `Secure` and `SameSite=Lax`.

    Example:
        >>> len(new_verifier())
        43
    """
    return base64url.encode(ids.random_bytes(_RANDOM_BYTES))


def challenge(verifier: str, /) -> str:
    """The `code_challenge` of a verifier: its SHA-256 as base64url (RFC 7636 §4.2).

    Args:
        verifier: 43 to 128 unreserved characters, as `new_verifier` makes them.

    Raises:
        ConfigurationError: It is none (`configuration`).

    Example:
        >>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    if _VERIFIER.fullmatch(verifier) is None:
        raise ConfigurationError("a PKCE verifier is 43 to 128 characters of [A-Za-z0-9._~-] (RFC 7636 §4.1)")
    return _challenge(verifier)


def matches(verifier: str | None, expected: str | None, /, *, method: str | None = METHOD) -> bool:
    """Whether a verifier is the one of a challenge (RFC 7636 §4.6), in constant time; for authorization servers.

    Whatever strangers send is answered and never raises. What is absent matches nothing: a code that was asked for
    without a challenge cannot be redeemed with a verifier, nor the other way round (RFC 9700 §4.8.2).

    Args:
        verifier: The `code_verifier` of the token request.
        expected: The `code_challenge` of the authorization request.
        method: Its `code_challenge_method`. None, which RFC 7636 reads as `plain`, and everything else but `S256` is
            refused.

    Example:
        >>> verifier = new_verifier()
        >>> matches(verifier, challenge(verifier)), matches(verifier, verifier, method="plain")
        (True, False)
    """
    if not isinstance(verifier, str) or not isinstance(expected, str) or method != METHOD:
        return False
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    # As bytes: comparing strings in constant time fails on what is not ASCII.
    return hmac.compare_digest(_challenge(verifier).encode(), expected.encode("utf-8", "surrogatepass"))


def _challenge(verifier: str) -> str:
    return base64url.encode(hashlib.sha256(verifier.encode()).digest())
