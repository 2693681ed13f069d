"""What a mark holds in Redis, and the commands of a claim.

A mark's value is `s` (spent) or `r` (reserved) and its owner, or `x` (revoked). Of the owner it holds a hash of eleven
bytes: the value then still fits where Redis keeps the shortest ones. Another owner is taken for this one once in 2^88
attempts, and each attempt has one of its own.
"""

from hashlib import blake2b

from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply
from mintkey.replay.base import ClaimOutcome, ClaimStatus

__all__ = ["RESERVED", "SPENT", "holder_of", "outcome_of", "pack_claim", "status_of"]

SPENT, RESERVED, _REVOKED = b"s", b"r", b"x"
_HOLDER_SIZE = 11
_OUTCOMES = {SPENT: ClaimOutcome.SPENT, RESERVED: ClaimOutcome.RESERVED, _REVOKED: ClaimOutcome.REVOKED}
_CLAIM = (
    b"*6\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$12\r\n%b\r\n$2\r\nNX\r\n$2\r\nPX\r\n$%d\r\n%b\r\n"
    b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n"
)


def holder_of(owner: str, /) -> bytes:
    """How an owner is remembered.

    Example:
        >>> len(holder_of("an owner"))
        11
    """
    return blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=_HOLDER_SIZE).digest()


def pack_claim(mark: bytes, value: bytes, life_ms: int, /) -> bytes:
    """`SET mark value NX PX life` and `GET mark`, packed by hand: of all that a claim does, packing costs most.

    Example:
        >>> from mintkey.redis.protocol import pack
        >>> value = SPENT + holder_of("an owner")
        >>> by_hand = pack_claim(b"mark", value, 1000)
        >>> by_hand == pack("SET", b"mark", value, "NX", "PX", 1000) + pack("GET", b"mark")
        True
    """
    size, digits = len(mark), b"%d" % life_ms
    return _CLAIM % (size, mark, value, len(digits), digits, size, mark)


def outcome_of(held: Reply, /) -> ClaimOutcome:
    """What somebody else's mark says to a claim.

    Raises:
        RedisCallError: It holds something that is not ours.

    Example:
        >>> outcome_of(SPENT + holder_of("somebody"))
        <ClaimOutcome.SPENT: 'spent'>
    """
    outcome = _OUTCOMES.get(held[:1]) if isinstance(held, bytes) else None
    if outcome is None:
        raise RedisCallError("a mark holds something that is not ours", code="ERR", may_have_run=True)
    return outcome


def status_of(held: Reply, /) -> ClaimStatus:
    """What a mark shows to who only looks; raises as `outcome_of` does."""
    return ClaimStatus(outcome_of(held))
