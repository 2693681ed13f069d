"""What a replay store's keys are called in Redis: short, without user data, one slot for all that belongs together."""

from mintkey.redis.buckets import Bucket, Buckets

__all__ = ["Keys"]


class Keys(Buckets):
    """The keys of one store.

    Args:
        prefix: The beginning of all of them.

    Example:
        >>> Keys("mk").mark("AAAAAAAAAAAAAAAAAAAAAA")[1]
        b'mk{0}AAAAAAAAAAAAAAAAAAAAAA'
    """

    __slots__ = ()

    def mark(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a mark."""
        return self.key(name, b"")

    def cut_off(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a cut-off; the dot, which no name has, keeps it apart from a mark."""
        return self.key(name, b".")

    def family(self, name: str, /) -> tuple[Bucket, bytes]:
        """The bucket and the key of a family; the colon, which no name has, keeps it apart from the others."""
        return self.key(name, b":")
