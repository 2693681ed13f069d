"""Where keys lie: spread over sixteen *buckets*, each with a hash tag of its own (`{0}` … `{f}`).

Whatever belongs to one token or one ring has one bucket, hence one slot, hence one node of a cluster; everywhere else
the tags are just part of the name.
"""

import zlib
from dataclasses import dataclass

__all__ = ["BUCKETS", "Bucket", "Buckets"]

BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Bucket:
    """The keys that all of a bucket share, and the beginning of every other one.

    Attributes:
        number: Which of the buckets.
        tag: The beginning of every key here; the braces make it the hash tag of a cluster.
        epoch: Holds the second in which the memory of a replay store begins.
        pulse: Written when replicas are waited for; holds nothing.
    """

    number: int
    tag: bytes
    epoch: bytes
    pulse: bytes


class Buckets:
    """The buckets of one store.

    Args:
        prefix: The beginning of all keys.

    Example:
        >>> Buckets("mk").key("default", b"#")[1]
        b'mk{f}#default'
    """

    __slots__ = ("buckets",)

    def __init__(self, prefix: str) -> None:
        tags = [f"{prefix}{{{number:x}}}".encode() for number in range(BUCKETS)]
        self.buckets: list[Bucket] = [Bucket(number, tag, tag + b"e", tag + b"w") for number, tag in enumerate(tags)]

    def key(self, name: str, kind: bytes, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of what has this name; kinds, which no name begins with, keep namesakes apart."""
        encoded = name.encode("utf-8", "surrogatepass")
        bucket = self.buckets[zlib.crc32(encoded) % BUCKETS]
        return bucket, b"%b%b%b" % (bucket.tag, kind, encoded)
