"""Which URLs of somebody else's server may be talked to: HTTPS, or this very machine, spelt in one way only."""

import string

from tests.security.fuzz.reference.verdict import Refused, Unsure

__all__ = ["judge"]

_ALLOWED = frozenset(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")  # RFC 3986 §2.2, §2.3
_HOST = frozenset(string.ascii_letters + string.digits + "._-")


def judge(url: str) -> None:
    """Refuse what is no such URL."""
    if not set(url) <= _ALLOWED:
        raise Refused("characters")
    scheme, found, rest = url.partition("://")
    end = min((rest.index(mark) for mark in "/?#" if mark in rest), default=len(rest))
    authority = rest[:end]
    if not found or "#" in rest or "@" in authority or scheme.lower() not in {"http", "https"}:
        raise Refused("parts")
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or not set(host.lower()) <= set("0123456789abcdef:."):
            raise Refused("address")
        if (scheme.lower() == "http" and host != "::1") or not host.replace("::", "1").replace(":", "").isalnum():
            raise Unsure  # one of the many spellings of IPv6
        _check_port(port)
        raise Unsure
    host, _, _ = authority.partition(":")
    _check_port(authority[len(host) :])
    if not host or not set(host) <= _HOST:
        raise Refused("host")
    if scheme.lower() == "http" and host.lower() != "localhost" and not _is_loopback(host):
        raise Refused("not this machine")


def _check_port(text: str) -> None:
    digits = text[1:]
    if text and (text[0] != ":" or not 1 <= len(digits) <= 5 or not set(digits) <= set(string.digits)):
        raise Refused("port")
    if text and not 0 < int(digits) < 65_536:
        raise Refused("port")


def _is_loopback(host: str) -> bool:
    parts = host.split(".")
    decimal = all(part and set(part) <= set(string.digits) and str(int(part)) == part for part in parts)
    return len(parts) == 4 and decimal and parts[0] == "127" and all(int(part) < 256 for part in parts)
