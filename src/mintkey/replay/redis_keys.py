"""What a replay store's keys are called in Redis: short, without user data, one slot for all that belongs together."""

import zlib
from dataclasses import dataclass

from mintkey.redis.topology import BUCKETS

__all__ = ["Bucket", "Keys"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The keys that all marks of a bucket share, and the beginning of their own.

    Attributes:
        number: Which of the buckets.
        tag: The beginning of every key here; the braces make it the hash tag of a cluster.
        epoch: Holds the second in which the memory begins.
        pulse: Written when replicas are waited for; holds nothing.
    """

    number: int
    tag: bytes
    epoch: bytes
    pulse: bytes


class Keys:
    """The keys of one store.

    Args:
        prefix: The beginning of all of them.

    Example:
        >>> Keys("mk").mark("AAAAAAAAAAAAAAAAAAAAAA")[1]
        b'mk{0}AAAAAAAAAAAAAAAAAAAAAA'
    """

    __slots__ = ("buckets",)

    def __init__(self, prefix: str) -> None:
        tags = [f"{prefix}{{{number:x}}}".encode() for number in range(BUCKETS)]
        self.buckets: list[Bucket] = [Bucket(number, tag, tag + b"e", tag + b"w") for number, tag in enumerate(tags)]

    def mark(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a mark."""
        return self._key(name, b"")

    def cut_off(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a cut-off; the dot, which no name has, keeps it apart from a mark."""
        return self._key(name, b".")

    def family(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a family; the colon, which no name has, keeps it apart from the others."""
        return self._key(name, b":")

    def _key(self, name: str, kind: bytes) -> tuple[Bucket, bytes]:
        encoded = name.encode("utf-8", "surrogatepass")
        bucket = self.buckets[zlib.crc32(encoded) % BUCKETS]
        return bucket, b"%b%b%b" % (bucket.tag, kind, encoded)
