"""The claim set of one purpose and one issuer, compiled once: it writes tokens and recognises them.

All tokens of a purpose say the same, but for a subject, two times, an id and what the caller adds. So most of the text
is known beforehand. A token that was written by a template is read by the same template: one match against a pattern
in which issuer and audience stand literally, and in which a string is ASCII without escapes and a time a plain number,
so that the strict reader could not read anything else. Other issuers order their claims as they like, and some of ours
need an escape or a list; these are left to the general reader, which alone refuses.
"""

import re
from collections.abc import Collection
from typing import Any

from mintkey.claims import strict_json
from mintkey.claims.quick_json import read_quickly
from mintkey.claims.registered import NO_SCOPES, REGISTERED, RegisteredClaims, scope_words

__all__ = ["ClaimsTemplate"]

_STRING = r'"([ !#-\[\]-~]+)"'
_TIME = "([1-9][0-9]{0,10})"
_NEVER = re.compile("(?!)")


class ClaimsTemplate:
    """Writes and recognises the registered claims of a purpose.

    Args:
        issuer: The `iss`.
        audience: The `aud`; empty: none.
        required: The claims that must be present beside those that always must.

    Raises:
        StrictJSONError: There is half a surrogate pair in the issuer or the audience.
    """

    __slots__ = ("_audience", "_head", "_issuer", "_match", "_needed")

    def __init__(self, *, issuer: str, audience: tuple[str, ...], required: Collection[str]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._head = head = _opening(issuer, audience)
        self._needed = frozenset(required) - REGISTERED
        # What a template never writes cannot be there.
        lacks = {"nbf"} if audience else {"nbf", "aud"}
        pattern = _NEVER if lacks.intersection(required) else _pattern(head, frozenset(required))
        self._match = pattern.match

    def begin(self, subject: str | None, audience: tuple[str, ...] | None = None, /) -> bytes:
        """The text of a claim set up to and including the name of the time at which it is issued.

        Args:
            subject: The `sub`; None: none.
            audience: The `aud` of this one; None: that of the template.

        Raises:
            StrictJSONError: There is half a surrogate pair in either.
        """
        head = self._head if audience is None else _opening(self._issuer, audience)
        if subject is None:
            return head + b',"iat":'
        return b'%b,"sub":%b,"iat":' % (head, strict_json.encode_text(subject))

    def recognise(self, payload: bytes, /) -> tuple[RegisteredClaims, dict[str, Any]] | None:
        """The registered and the private claims of a token that such a template wrote; None: look for yourself.

        Whatever is returned is what the general reader would have found, in value and in kind.
        """
        # As Latin-1, a character a byte: what is not ASCII is compared as it stands, or is no business of the pattern.
        match = self._match(payload.decode("latin-1"))
        if match is None:
            return None
        subject, issued_at, expires_at, token_id, scope, end = match.groups()
        private = {} if end == "}" else _private(payload, match.end())
        if private is None or (self._needed and not private.keys() >= self._needed):
            return None
        scopes = NO_SCOPES if scope is None else scope_words(scope)
        registered = self._issuer, subject, self._audience, token_id, float(issued_at), None, float(expires_at), scopes
        return registered, private


def _opening(issuer: str, audience: tuple[str, ...]) -> bytes:
    """The beginning of a claim set: who issued it, and for whom it is."""
    aud = {"aud": audience[0] if len(audience) == 1 else audience} if audience else {}
    return strict_json.dumps({"iss": issuer, **aud})[:-1]


def _pattern(head: bytes, required: frozenset[str]) -> re.Pattern[str]:
    subject, scope = (f'(?:,"{name}":{_STRING}{"" if name in required else "|"})' for name in ("sub", "scope"))
    ours = f'{subject},"iat":{_TIME},"exp":{_TIME},"jti":{_STRING}{scope}'
    return re.compile(re.escape(head.decode("latin-1")) + ours + r'(\}\Z|,(?="))')


def _private(payload: bytes, end: int) -> dict[str, Any] | None:
    """The private claims, from the members behind the ones that were recognised."""
    private = read_quickly(b"{" + payload[end:], max_depth=strict_json.MAX_DEPTH)
    return private if private is not None and REGISTERED.isdisjoint(private) else None
