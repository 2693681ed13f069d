"""What a token endpoint answers (RFC 6749 §5), read strictly by pure functions. No text of it gets into an error."""

import re

from mintkey.claims.strict_json import StrictJSONError, loads
from mintkey.oauth.lease import Grant

__all__ = ["DEFAULT_LIFETIME", "TokenResponseError", "read_error", "read_grant"]

DEFAULT_LIFETIME = 300.0
"""Seconds for which a token is used whose `expires_in` is missing (RFC 6749 §5.1 only recommends it): five minutes."""

_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",  # RFC 8707 §2
    }
)

# It is put into a header field: no space, no control character, nothing but ASCII (RFC 6749 §A.12, RFC 6750 §2.1).
_TOKEN = re.compile(r"[\x21-\x7e]+")
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


class TokenResponseError(ValueError):
    """A 200 without a token that we can use; the message never quotes it."""


def read_grant(body: bytes, /) -> Grant:
    """The token in a successful response (RFC 6749 §5.1).

    `expires_in` may also be text, as some providers write it; missing or null, it is `DEFAULT_LIFETIME`.

    Raises:
        TokenResponseError: The body is no such response, or the token is no bearer token.

    Example:
        >>> read_grant(b'{"access_token": "2YotnFZ", "token_type": "Bearer", "expires_in": 3600}')
        Grant(lifetime=3600.0)
    """
    try:
        response = loads(body)
    except StrictJSONError as error:
        raise TokenResponseError(f"the body is {error}") from None
    token, kind = response.get("access_token"), response.get("token_type")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise TokenResponseError("access_token is missing or no token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenResponseError("token_type is not Bearer")
    return Grant(token, _lifetime(response.get("expires_in")))


def read_error(body: bytes, /) -> str | None:
    """The error code in a refusal, if it is one that is registered for token endpoints (RFC 6749 §5.2).

    Example:
        >>> read_error(b'{"error": "invalid_client", "error_description": "unknown"}')
        'invalid_client'
    """
    try:
        code = loads(body).get("error")
    except StrictJSONError:
        return None
    return code if isinstance(code, str) and code in _ERRORS else None


def _lifetime(value: object) -> float:
    if value is None:
        return DEFAULT_LIFETIME
    # The very type: bool is an int in Python.
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or _DIGITS.fullmatch(text) is None or int(text) == 0:
        raise TokenResponseError("expires_in is not a positive number of seconds")
    return float(text)
