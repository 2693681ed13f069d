"""A real server for questions about Redis: the distribution's if it is there, else the one of the test dependencies."""

import shutil
from contextlib import AbstractContextManager

from tests.support.servers import RedisServer, running

__all__ = ["reads", "redis_server", "used_memory"]


def redis_server(*options: str) -> AbstractContextManager[RedisServer]:
    """A server of its own on a free port, for as long as the block lasts.

    Args:
        options: Of its command line.
    """
    return running("redis" if shutil.which("redis-server") else "valkey", *options)


def reads(server: RedisServer, /) -> int:
    """How often the server has read something from anybody; asking takes a few reads itself, always as many."""
    count: int = server.command("INFO", "stats")["total_reads_processed"]
    return count


def used_memory(server: RedisServer, /) -> int:
    """Bytes that the server's allocator gave out."""
    count: int = server.command("INFO", "memory")["used_memory"]
    return count
