"""Why there is no connection to a server, in words that show neither its address nor a password."""

import os
import socket
import ssl
from collections.abc import Iterator

from redis.exceptions import ResponseError

__all__ = ["explain"]


def explain(trouble: BaseException | None, /) -> tuple[str, str]:
    """What the last attempt failed with, as a message and a code for `RedisCallError`.

    Args:
        trouble: What it failed with; None if it did not end.

    Example:
        >>> explain(ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 6379)"))
        ('Redis cannot be reached: Connection refused', 'connection')
        >>> explain(None)
        ('Redis did not answer in time', 'timeout')
    """
    for error in _chain(trouble):
        match error:
            case TimeoutError():
                break
            case ssl.SSLError():
                reason = getattr(error, "reason", None) or "without a reason"  # not every one has the attribute
                return f"Redis cannot be reached: TLS fails ({reason})", "connection"
            case socket.gaierror():
                return "Redis cannot be reached: its name leads nowhere", "connection"
            case OSError(errno=int(number)):
                return f"Redis cannot be reached: {os.strerror(number)}", "connection"
            case ResponseError():
                return "Redis refuses the handshake", "connection"
            case EOFError():
                return "Redis cannot be reached: it closes the connection", "connection"
            case _:
                pass
    return "Redis did not answer in time", "timeout"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it was raised for: redis-py translates those of the operating system."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
