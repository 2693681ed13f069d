"""Bearer tokens over HTTP (RFC 6750), without a framework: where a request carries its token, and how it is refused.

| what happened | status | challenge |
|---|---|---|
| no credentials | 401 | `Bearer` |
| more than one token (§2) | 400 | `Bearer error="invalid_request"` |
| a bad token, whatever is wrong with it | 401 | `Bearer error="invalid_token"` |
| a good token without a scope | 403 | `Bearer error="insufficient_scope", scope="…"` |
| somebody else is spending the token | 409, `Retry-After` | |
| keys or store cannot be reached | 503, `Retry-After` | |
| a mistake of ours | 500 | |

Outsiders are told these words and nothing finer: why a token is bad is for logs, metrics and hooks.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mintkey.errors import BackendError, ConfigurationError, InsufficientScopeError, InvalidTokenError, Reason

__all__ = ["Answer", "answer_to", "check_realm", "find_token", "missing_token", "two_tokens"]

_SCHEME = b"bearer"
_PARAMETER = b"access_token"

_RETRY_AFTER = "1"
"""Seconds: most outages that are not over then are told of again at little cost."""

_REALM = re.compile(r"[ !#-\[\]-~]{1,128}")
_SCOPE = re.compile(r"[!#-\[\]-~]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request is refused.

    Attributes:
        status: The HTTP status code.
        word: What outsiders are told, one of a closed set: `not_authenticated`, `invalid_request`, `invalid_token`,
            `insufficient_scope`, `token_reserved`, `temporarily_unavailable`, `server_error`.
        headers: `WWW-Authenticate` (RFC 6750 §3) or `Retry-After` (RFC 9110 §10.2.3), as it takes.

    Example:
        >>> missing_token().headers["WWW-Authenticate"]
        'Bearer'
    """

    status: int
    word: str
    headers: Mapping[str, str]


def find_token(
    headers: Iterable[tuple[bytes, bytes]], /, *, query: bytes = b"", cookies: Sequence[str] = ()
) -> str | None:
    """The one token that a request carries; None: it carries none.

    Read from the `Authorization` field, the scheme in any case, and from the values of a cookie. A token in the query
    is never used, as URLs are logged and shared (§5.3); beside another one it counts as a second.

    Args:
        headers: The fields as ASGI has them, names in lower case.
        query: The raw query of the URL.
        cookies: The values of the cookie that may carry the token.

    Raises:
        ValueError: There is more than one (§2).

    Example:
        >>> find_token([(b"host", b"app.example"), (b"authorization", b"Bearer a.b.c")])
        'a.b.c'
    """
    fields = [value for name, value in headers if name == b"authorization"]
    if len(fields) > 1:
        raise ValueError("more than one Authorization field")
    found = None
    if fields:
        scheme, _, text = fields[0].partition(b" ")
        if scheme.lower() == _SCHEME:
            # Whatever the bytes are: what is no token is refused as one that is bad.
            found = text.strip(b" ").decode("latin-1") or None
    if cookies:
        if found is not None or len(cookies) > 1:
            raise ValueError("more than one token")
        found = cookies[0]
    if found is not None and query and _has_token(query):
        raise ValueError("a token in the query beside another one")
    return found


def missing_token(*, realm: str | None = None) -> Answer:
    """The answer to a request without credentials: a challenge, and no word of an error (§3.1).

    Args:
        realm: What is protected, for people (RFC 9110 §11.5).

    Example:
        >>> missing_token(realm="orders").headers["WWW-Authenticate"]
        'Bearer realm="orders"'
    """
    return Answer(401, "not_authenticated", _challenge(realm))


def two_tokens(*, realm: str | None = None) -> Answer:
    """The answer to a request that carries more than one token (§2, §3.1).

    Args:
        realm: As for `missing_token`.

    Example:
        >>> two_tokens().status
        400
    """
    return Answer(400, "invalid_request", _challenge(realm, error="invalid_request"))


def answer_to(error: Exception, /, *, realm: str | None = None) -> Answer:
    """The answer to a request that failed with this error.

    Args:
        error: What was raised; whatever is not of mintkey is a mistake of ours.
        realm: As for `missing_token`.

    Example:
        >>> from mintkey import ExpiredTokenError
        >>> answer = answer_to(ExpiredTokenError("expired", claim="exp"))
        >>> answer.status, answer.headers["WWW-Authenticate"]
        (401, 'Bearer error="invalid_token"')
    """
    match error:
        case InsufficientScopeError():
            scopes: Any = error.details.get("scopes", ())
            challenge = _challenge(realm, error="insufficient_scope", scope=" ".join(_words(scopes)))
            return Answer(403, "insufficient_scope", challenge)
        case InvalidTokenError():
            return Answer(401, "invalid_token", _challenge(realm, error="invalid_token"))
        case BackendError(reason=Reason.TOKEN_RESERVED):
            return Answer(409, "token_reserved", _RETRY)
        case BackendError():
            return Answer(503, "temporarily_unavailable", _RETRY)
        case _:
            return Answer(500, "server_error", _NOTHING)


def check_realm(realm: str | None, /) -> None:
    """Refuse a realm that does not fit between quotes.

    Raises:
        ConfigurationError: It does not (`configuration`).

    Example:
        >>> check_realm("orders of myapp.example")
    """
    if realm is not None and _REALM.fullmatch(realm) is None:
        raise ConfigurationError("realm must be 1–128 printable ASCII characters without quotes and backslashes")


_NOTHING: Mapping[str, str] = MappingProxyType({})
_RETRY: Mapping[str, str] = MappingProxyType({"Retry-After": _RETRY_AFTER})


def _has_token(query: bytes) -> bool:
    return any(part.partition(b"=")[0] == _PARAMETER for part in query.split(b"&"))


def _challenge(realm: str | None, /, **parameters: str) -> Mapping[str, str]:
    members = {} if realm is None else {"realm": realm}
    members |= {name: value for name, value in parameters.items() if value}
    listed = ", ".join(f'{name}="{value}"' for name, value in members.items())
    return MappingProxyType({"WWW-Authenticate": f"Bearer {listed}".rstrip()})


def _words(scopes: Collection[object]) -> list[str]:
    """The scopes that can be said: no other character ends the quotes or the field (RFC 6749 §3.3)."""
    return [scope for scope in scopes if isinstance(scope, str) and _SCOPE.fullmatch(scope)]
