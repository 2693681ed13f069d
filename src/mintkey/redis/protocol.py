"""Commands as bytes and replies as values (RESP2), by way of hiredis."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import hiredis
from hiredis import ReplyError

__all__ = ["Argument", "Reply", "ReplyError", "pack", "unpack"]

_pack = cast("Callable[[tuple[str | bytes | int, ...]], bytes]", cast("Any", hiredis).pack_command)

Argument: TypeAlias = str | bytes | int
Reply: TypeAlias = "bytes | int | ReplyError | list[Reply] | None"


def pack(*arguments: Argument) -> bytes:
    r"""One command, ready to be written.

    Example:
        >>> pack("GET", b"mark")
        b'*2\r\n$3\r\nGET\r\n$4\r\nmark\r\n'
    """
    return _pack(arguments)


def unpack(commands: bytes, /) -> list[list[bytes]]:
    """Packed commands, one by one.

    Example:
        >>> unpack(pack("GET", b"mark") + pack("TIME"))
        [[b'GET', b'mark'], [b'TIME']]
    """
    reader, found = hiredis.Reader(), list[list[bytes]]()
    reader.feed(commands)
    while (command := reader.gets()) is not False:
        found.append(cast("list[bytes]", command))
    return found
