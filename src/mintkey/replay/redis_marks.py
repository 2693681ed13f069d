"""What a mark holds in Redis, and the commands of a claim.

A mark's value is `s` (spent) or `r` (reserved), its owner, and a tag of the memory that it was written into; or `x`
(revoked). Of the owner it holds a hash of nine bytes, of the memory two: the value then still fits where Redis keeps
the shortest ones. Another owner is taken for this one once in 2^72 attempts, and each attempt has one of its own.

A claim writes before it can know whether the server lost its memory, and takes its mark back if it did. The tag tells
such a mark from one that stays: it names the memory that the claim believed in, and who reads another one there knows
that nobody was granted anything by it.
"""

from hashlib import blake2b

from mintkey.redis.errors import RedisCallError
from mintkey.redis.protocol import Reply
from mintkey.replay.base import ClaimOutcome, ClaimStatus

__all__ = ["RESERVED", "SPENT", "holder_of", "is_held_by", "is_of", "outcome_of", "pack_claim", "status_of", "tag_of"]

SPENT, RESERVED, _REVOKED = b"s", b"r", b"x"
_HOLDER_SIZE, _TAG_SIZE, _TAGS = 9, 2, 65_536
_OUTCOMES = {SPENT: ClaimOutcome.SPENT, RESERVED: ClaimOutcome.RESERVED, _REVOKED: ClaimOutcome.REVOKED}
_CLAIM = (
    b"*6\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$12\r\n%b\r\n$2\r\nNX\r\n$2\r\nPX\r\n$%d\r\n%b\r\n"
    b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n"
)


def holder_of(owner: str, /) -> bytes:
    """How an owner is remembered.

    Example:
        >>> len(holder_of("an owner"))
        9
    """
    return blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=_HOLDER_SIZE).digest()


def tag_of(begins: int, /) -> bytes:
    r"""How a memory is named in a mark: two that follow one another within eighteen hours never share a tag.

    Args:
        begins: The second in which it begins.

    Example:
        >>> tag_of(1_767_225_600), tag_of(1_767_225_606)
        (b'\xb9\x00', b'\xb9\x06')
    """
    return (begins % _TAGS).to_bytes(_TAG_SIZE)


def is_held_by(held: Reply, holder: bytes, /) -> bool:
    """Whether a mark is this holder's, spent or reserved, in whatever memory.

    Example:
        >>> is_held_by(RESERVED + holder_of("an owner") + tag_of(0), holder_of("an owner"))
        True
    """
    return isinstance(held, bytes) and held[1 : 1 + _HOLDER_SIZE] == holder and held[:1] in {SPENT, RESERVED}


def is_of(held: Reply, tag: bytes, /) -> bool:
    """Whether a mark proves what it says to who cannot prove that nothing was forgotten.

    A revocation does. So does what was written into the very memory that is there now, because who knows that a token
    is older than that writes nothing for it.

    Args:
        held: The mark.
        tag: The tag of the memory that is there.

    Example:
        >>> is_of(SPENT + holder_of("somebody") + tag_of(7), tag_of(8))
        False
    """
    return isinstance(held, bytes) and (held[:1] == _REVOKED or held[1 + _HOLDER_SIZE :] == tag)


def pack_claim(mark: bytes, value: bytes, life_ms: int, /) -> bytes:
    """`SET mark value NX PX life` and `GET mark`, packed by hand: of all that a claim does, packing costs most.

    Example:
        >>> from mintkey.redis.protocol import pack
        >>> value = SPENT + holder_of("an owner") + tag_of(0)
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
        >>> outcome_of(SPENT + holder_of("somebody") + tag_of(0))
        <ClaimOutcome.SPENT: 'spent'>
    """
    outcome = _OUTCOMES.get(held[:1]) if isinstance(held, bytes) else None
    if outcome is None:
        raise RedisCallError("a mark holds something that is not ours", code="ERR", may_have_run=True)
    return outcome


def status_of(held: Reply, /) -> ClaimStatus:
    """What a mark shows to who only looks; raises as `outcome_of` does."""
    return ClaimStatus(outcome_of(held))
