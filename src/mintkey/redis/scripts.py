"""Server-side scripts: sent by their hash, in full only to a server that does not know them yet."""

import hashlib

from mintkey.redis.protocol import Argument, pack

__all__ = ["Script"]


class Script:
    r"""A Lua script over one key, so that it runs on a lone server and on any node of a cluster alike.

    Args:
        source: The script. It must bear being run twice by the same call: a lost answer is asked for again.

    Example:
        >>> Script("return redis.call('GET', KEYS[1])").by_hash(b"key")[:20]
        b'*4\r\n$7\r\nEVALSHA\r\n$40'
    """

    __slots__ = ("_hash", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._hash = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def by_hash(self, key: bytes, /, *arguments: Argument) -> bytes:
        """The command that a server answers with `NOSCRIPT` if it has never seen the script."""
        return pack("EVALSHA", self._hash, 1, key, *arguments)

    def in_full(self, key: bytes, /, *arguments: Argument) -> bytes:
        """The command that every server understands, and remembers the script by."""
        return pack("EVAL", self._source, 1, key, *arguments)
