"""Which URLs we talk to: HTTPS, and plain HTTP only with this very machine."""

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

__all__ = ["same_origin", "url_problem"]

# Nothing that two parsers could read differently: no white space, no control character, no backslash, ASCII only. A
# name in another script is written as its A-label (RFC 5890 §2.3.2.1).
_URL = re.compile(r"[!#-;=?-\[\]_a-z~%]+")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PORTS = {"https": 443, "http": 80}


def url_problem(url: object, /) -> str | None:
    """What is wrong with a URL that we are to talk to; None if nothing is.

    Allowed are `https`, and `http` on loopback (`localhost`, `127.0.0.0/8`, `::1`); no user info, which would end up in
    logs (RFC 9110 §4.2.4), and no fragment.

    Returns:
        The rest of a sentence that begins with the name of the setting. It never quotes the URL.

    Example:
        >>> url_problem("https://issuer.example/jwks") is None
        True
        >>> url_problem("http://issuer.example/jwks")
        'must be an https URL (http is for loopback only)'
    """
    if not isinstance(url, str) or _URL.fullmatch(url) is None:
        return "must be a URL in plain ASCII"
    parts = _split(url)
    if parts is None:
        return "must be an absolute URL with a host and, if any, a port from 1 to 65535"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if "#" in url:
        return "must not have a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return None
    return "must be an https URL (http is for loopback only)"


def same_origin(one: str, other: str, /) -> bool:
    """Whether two URLs have the same scheme, host and port (RFC 6454 §5).

    Example:
        >>> same_origin("https://a.example/jwks", "https://A.example:443/keys")
        True
        >>> same_origin("https://a.example/jwks", "https://b.example/jwks")
        False
    """
    origins = [_origin(parts) for url in (one, other) if (parts := _split(url)) is not None]
    return len(origins) > 1 and origins[0] == origins[1]


def _split(url: str) -> SplitResult | None:
    """The parts of an absolute URL; None if it is none."""
    try:
        parts = urlsplit(url)
        has_good_port = parts.port != 0
    except ValueError:
        return None
    is_complete = bool(parts.scheme) and _AUTHORITY.fullmatch(parts.netloc.rpartition("@")[2]) is not None
    return parts if is_complete and has_good_port else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # Not the other spellings of IPv6, as in `::ffff:127.0.0.1`: nobody needs them, and few parsers agree on them.
    return address == IPv6Address("::1") if isinstance(address, IPv6Address) else address.is_loopback
