"""Secrets that are long enough and still no secret: somebody's documentation, keyboard or loop wrote them."""

import re
from itertools import pairwise

__all__ = ["looks_like_placeholder"]

_FEWEST_DISTINCT_BYTES = 8

# Five characters at least: random base64 holds one of them less than once in a hundred thousand secrets, and then the
# rest of it still speaks for it.
_WORDS = re.compile(
    rb"change|secret|passw|example|placeholder|default|insecure|replace|dummy|sample|testing|develop|qwerty|letmein"
    rb"|foobar|(?:your|test)[-_ ]",
    re.IGNORECASE,
)

# 128 bits in base64url: whoever writes a word beside so many unbroken characters has drawn them.
_DRAWN = re.compile(rb"[A-Za-z0-9+/]{22}")


def looks_like_placeholder(secret: bytes, /) -> bool:
    """Whether no random source can have made this secret.

    It catches one character or one phrase over and over, runs along the alphabet, and texts around a word such as
    "change me" with nothing random beside it.

    Example:
        >>> looks_like_placeholder(b"changeme-changeme-changeme-changeme-")
        True
    """
    if len(set(secret)) < _FEWEST_DISTINCT_BYTES or secret in (secret * 2)[1:-1]:
        return True
    steps = sum(after - before in {1, -1} for before, after in pairwise(secret))
    if steps * 2 > len(secret):
        return True
    rest, words = _WORDS.subn(b" ", secret)
    return words > 0 and secret.isascii() and _DRAWN.search(rest) is None
