"""URLs that may be shown."""

import re

from mintkey.places import kind_of

__all__ = ["redacted"]

_HARMLESS = frozenset({"db", "host", "mode", "port", "ssl", "sslmode", "timeout"})
_PARAMETER = re.compile(r"[^&]+")


def redacted(url: str, /) -> str:
    """A URL without its password: that in front of the host, and what parameters may hold.

    Example:
        >>> redacted("redis://app:hunter2@cache:6379/0?password=hunter2&db=1")
        'redis://app:***@cache:6379/0?password=***&db=1'
    """
    kind, (scheme, _, rest) = kind_of(url), url.partition("://")
    if kind in {"memory", "file"}:
        return url
    rest, question, query = rest.partition("?")
    if "@" in query:  # most probably a password with a ? that nobody escaped: where it ends, nobody can tell
        return f"{scheme}://***"
    query = _PARAMETER.sub(_hide, query)
    if scheme.startswith("sqlite"):
        return f"{scheme}://{rest}{question}{query}"
    # The last @: a password may hold one that nobody escaped, and then even a slash.
    userinfo, at, place = rest.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    if at and not colon and kind == "redis":
        user, colon = "", ":"  # most probably a password at the place of the user
    hidden = f"{user}{':***' if colon else ''}{at}"
    return f"{scheme}://{hidden}{place}{question}{query}"


def _hide(found: re.Match[str]) -> str:
    name, equals, _ = found[0].partition("=")
    if equals and name.lower() in _HARMLESS:
        return found[0]
    return f"{name}=***" if equals else "***"
