"""A Redis server as the claim protocol sees it: every command is atomic, time is what the search lets happen."""

from collections.abc import Callable

from mintkey.redis.protocol import Reply, unpack
from mintkey.redis.scripts import Script
from mintkey.replay.redis_scripts import COMMIT, REVOKE, TAKE_BACK

__all__ = ["Command", "Server", "is_write"]

Command = tuple[bytes, ...]


def is_write(command: Command) -> bool:
    """Whether it may change something."""
    return command[0] != b"GET"


class Server:
    """Keys and values, and a replica that may lag behind.

    Attributes:
        data: What the server holds.
        replica: What its replica holds.
        observe: Told of every key that is written, and what.
    """

    def __init__(self, data: dict[bytes, bytes], observe: Callable[[bytes, bytes], None]) -> None:
        self.data: dict[bytes, bytes] = dict(data)
        self.replica: dict[bytes, bytes] = dict(data)
        self.observe = observe

    def execute(self, command: Command) -> Reply:
        """The reply to one command."""
        match command:
            case (b"GET", key):
                return self.data.get(key)
            case (b"SET", key, value, b"NX", *_):
                if key in self.data:
                    return None
                self._set(key, value)
                return b"OK"
            case (b"EVALSHA", script, b"1", key, *rest):
                reply: Reply = getattr(self, _SCRIPTS[script])(key, *rest)
                return reply
            case _:
                raise NotImplementedError(command[0])

    def commit(self, key: bytes, holder: bytes, tag: bytes, _life: bytes) -> Reply:
        """Spend what this holder reserved, or what nobody holds."""
        held = self.data.get(key)
        if held is not None and held[1 : 1 + len(holder)] != holder:
            return held
        if held is None or held[:1] != b"s":
            self._set(key, b"s" + holder + tag)
        return 1

    def take_back(self, key: bytes, begin: bytes) -> Reply:
        """Remove a mark that begins with this."""
        held = self.data.get(key)
        if held is None:
            return -1
        if not held.startswith(begin):
            return 0
        del self.data[key]
        return 1

    def revoke(self, key: bytes, _life: bytes) -> None:
        """Mark as revoked, whatever was there."""
        self._set(key, b"x")

    def _set(self, key: bytes, value: bytes) -> None:
        self.data[key] = value
        self.observe(key, value)


def _hash(script: Script) -> bytes:
    ((_, found, *_),) = unpack(script.by_hash(b""))
    return found


_SCRIPTS = {_hash(COMMIT): "commit", _hash(TAKE_BACK): "take_back", _hash(REVOKE): "revoke"}
