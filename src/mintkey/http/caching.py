"""What an answer says about time: for how long it is fresh (RFC 9111 §4.2), and when to come back (RFC 9110 §10.2.3).

Pure functions of the fields and of the moment at which they came.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["freshness_of", "retry_after_of"]

_LONGEST = 2_147_483_648  # what a recipient takes larger numbers of seconds for (RFC 9111 §1.2.2)
_SECONDS = re.compile(r"[0-9]{1,64}")
_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s,\"]*))?")


def freshness_of(headers: Mapping[str, str], /, *, now: float) -> float | None:
    """Seconds for which an answer is fresh from now on; 0 if it must not be used again, None if it says nothing.

    `max-age` and `Expires`, less the `Age` that it gained in caches on its way. What is contradictory counts as said in
    the strictest way, what cannot be read as 0 (RFC 9111 §4.2.1). `s-maxage` is for caches that people share.

    Args:
        headers: The fields, names in lower case.
        now: When the answer came, in seconds since the epoch.

    Example:
        >>> freshness_of({"cache-control": "public, max-age=300", "age": "60"}, now=0)
        240.0
    """
    directives = _directives(headers.get("cache-control", ""))
    if {"no-store", "no-cache"} & directives.keys():
        return 0.0
    if "max-age" in directives:
        lifetime = min(_seconds(value) for value in directives["max-age"])
    elif "expires" in headers:
        expires, sent = _instant(headers["expires"]), _instant(headers.get("date", ""))
        lifetime = 0.0 if expires is None else expires - (now if sent is None else sent)
    else:
        return None
    return max(0.0, lifetime - _seconds(headers.get("age", "0")))


def retry_after_of(headers: Mapping[str, str], /, *, now: float) -> float | None:
    """Seconds after which the server wants to be asked again; None if it does not say.

    Args:
        headers: The fields, names in lower case.
        now: When the answer came, in seconds since the epoch.

    Example:
        >>> retry_after_of({"retry-after": "120"}, now=0)
        120.0
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return _seconds(text)
    instant = _instant(text)
    return None if instant is None else max(0.0, instant - now)


def _directives(text: str) -> dict[str, list[str]]:
    """The values of each directive, as often as it was given, quotes removed."""
    found: dict[str, list[str]] = {}
    for match in _DIRECTIVE.finditer(text):
        found.setdefault(match[1].lower(), []).append((match[2] or "").strip('"'))
    return found


def _seconds(text: str) -> float:
    text = text.strip()
    return float(min(int(text), _LONGEST)) if _SECONDS.fullmatch(text) else 0.0


def _instant(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date (RFC 9110 §5.6.7); None if it is none."""
    try:
        parsed = parsedate_to_datetime(text)
        return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
