"""Names and times of marks: what every replay store agrees on. Pure: no clock, no I/O.

A *mark* is what a store remembers about one token: that it was spent, reserved or revoked. Its name is a hash, so no
user data ever becomes part of a key. Its life is a length of time and not an instant: a server whose clock runs ahead
would drop a mark with an instant at once, and the token could be used again.
"""

import hashlib
from binascii import b2a_base64
from datetime import UTC, datetime, timedelta
from math import floor

__all__ = [
    "LONGEST_LIFE",
    "SKEW",
    "MarkNamer",
    "life",
    "mark_name",
    "memory_begins_after_loss",
    "memory_begins_at_opening",
    "microseconds",
    "subject_name",
]

SKEW = timedelta(seconds=5)
"""The stores' own margin for clocks that differ: a mark outlives its token by so much."""

LONGEST_LIFE = timedelta(days=3660)
"""No mark lives longer, whatever instant a caller names: nobody else ever frees that memory."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHORTEST_LIFE = 0.001
_TO_URL = bytes.maketrans(b"+/", b"-_")
_SKEW_SECONDS = SKEW.total_seconds()
_LONGEST_SECONDS = LONGEST_LIFE.total_seconds()


class MarkNamer:
    """The names of the marks of one issuer and purpose: the same as `mark_name` gives, in less than half the time.

    Args:
        issuer: The tokens' `iss`.
        purpose: The purpose's name; the same `jti` under two purposes is two tokens.

    Example:
        >>> names = MarkNamer("https://myapp.example", "magic-login")
        >>> names.name("a-token-id") == mark_name("https://myapp.example", "magic-login", "a-token-id")
        True
    """

    __slots__ = ("_begin",)

    def __init__(self, issuer: str, purpose: str, /) -> None:
        self._begin = _prefix(b"mintkey mark", issuer, purpose).copy

    def name(self, token_id: str, /) -> str:
        """The name of a token's mark: 22 characters that say nothing about the token.

        Args:
            token_id: The token's `jti`.
        """
        return _name(self._begin(), token_id)


def mark_name(issuer: str, purpose: str, token_id: str, /) -> str:
    """The name of a token's mark: 22 characters that say nothing about the token.

    Args:
        issuer: The token's `iss`.
        purpose: The purpose's name; the same `jti` under two purposes is two tokens.
        token_id: The token's `jti`.

    Example:
        >>> len(mark_name("https://myapp.example", "magic-login", "a-token-id"))
        22
    """
    return _name(_prefix(b"mintkey mark", issuer, purpose), token_id)


def subject_name(issuer: str, purpose: str, subject: str, /) -> str:
    """The name of a subject's cut-off: 22 characters that say nothing about the subject.

    Args:
        issuer: The tokens' `iss`.
        purpose: The purpose's name.
        subject: The tokens' `sub`.

    Example:
        >>> subject_name("https://myapp.example", "access", "20") == mark_name("https://myapp.example", "access", "20")
        False
    """
    return _name(_prefix(b"mintkey subject", issuer, purpose), subject)


def _prefix(domain: bytes, *parts: str) -> hashlib.blake2b:
    """The hash of everything in a name but its last part."""
    state = hashlib.blake2b(digest_size=16, person=domain)
    for part in parts:
        state.update(_framed(part))
    return state


def _name(begun: hashlib.blake2b, last: str) -> str:
    begun.update(_framed(last))
    return b2a_base64(begun.digest())[:22].translate(_TO_URL).decode("ascii")


def _framed(part: str) -> bytes:
    # Every part goes in behind its length: ("ab", "c") and ("a", "bc") must not share a mark. `surrogatepass`, because
    # a caller's text may hold what UTF-8 cannot, and a name must exist for it all the same.
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded


def life(expires_at: datetime, now: float, /) -> float:
    """How long a mark must live, in seconds: until the token can be accepted nowhere any more, and `SKEW` longer.

    Args:
        expires_at: The last moment at which the token could still be accepted (`exp` plus leeway).
        now: Epoch seconds.

    Example:
        >>> life(datetime.fromtimestamp(1060, UTC), 1000.0)
        65.0
    """
    seconds = expires_at.timestamp() - now + _SKEW_SECONDS
    if _SHORTEST_LIFE < seconds < _LONGEST_SECONDS:
        return seconds
    return _LONGEST_SECONDS if seconds > _SHORTEST_LIFE else _SHORTEST_LIFE


def memory_begins_at_opening(now: float, /) -> int:
    """From which second on a store can prove anything, if it was opened now and found nothing.

    In whole seconds, rounded down, as `iat` is: a token minted right after the opening is provable.

    Example:
        >>> memory_begins_at_opening(1000.9)
        1000
    """
    return floor(now)


def memory_begins_after_loss(now: float, /) -> int:
    """From which second on a store can prove anything, if its memory vanished while it was running.

    Later than now: a process whose clock runs ahead has issued, and spent, tokens that seem to come from the future.

    Example:
        >>> memory_begins_after_loss(1000.9)
        1006
    """
    return floor(now + _SKEW_SECONDS) + 1


def microseconds(instant: datetime, /) -> int:
    """An instant as whole microseconds since the epoch, exact.

    Example:
        >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
        1000005
    """
    return (instant - _EPOCH) // _MICROSECOND
