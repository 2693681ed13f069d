"""The calls of one write: their commands in one piece, their replies one by one."""

from collections.abc import Sequence

from mintkey.redis.calls import Call
from mintkey.redis.errors import code_of
from mintkey.redis.protocol import Reply, ReplyError, pack

__all__ = ["Batch"]

_UNFIT = frozenset({"LOADING", "MASTERDOWN", "NOAUTH", "READONLY"})


class Batch:
    """One attempt to have some calls answered; whoever makes it sends it at once.

    The shared reads come behind all commands: read before them, a value may be of an earlier life of the server than
    the answers to the commands. What replicas confirm comes behind those.

    Args:
        calls: The calls.
        replicas: How many replicas must confirm what the calls write; 0: none is asked.
        patience: Seconds that the replicas have for that.

    Attributes:
        commands: All commands, packed.
        count: How many replies they have.
        found_fit: It was answered, and no reply says that the server does not serve.
    """

    __slots__ = ("_calls", "_is_confirmed", "_places", "commands", "count", "found_fit")

    def __init__(self, calls: Sequence[Call], /, *, replicas: int, patience: float) -> None:
        packed = [call.commands for call in calls]
        count = sum([call.count for call in calls])
        places: dict[bytes, int] = {}
        for call in calls:
            call.in_flight = True  # from now on it may have been executed
            key = call.also_read
            if key is not None and key not in places:
                places[key] = count
                packed.append(pack("GET", key))
                count += 1
        writer = next((call for call in calls if call.pulse is not None), None) if replicas else None
        if writer is not None and writer.pulse is not None:
            packed += [writer.pulse, pack("WAIT", replicas, max(1, int(patience * 1000)))]
            count += writer.pulse_replies + 1
        self.commands: bytes = b"".join(packed)
        self.count: int = count
        self.found_fit: bool = False
        self._calls, self._places, self._is_confirmed = calls, places, writer is not None

    def hand_out(self, replies: list[Reply], /) -> None:
        """Give every call that still waits its own replies."""
        errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        self.found_fit = all(code_of(error) not in _UNFIT for error in errors)
        confirmed = replies[-1] if self._is_confirmed else 0
        replicas = confirmed if isinstance(confirmed, int) else 0
        places, clean, end = self._places, not errors, 0
        for call in self._calls:
            start, end = end, end + call.count
            read = None if call.also_read is None else replies[places[call.also_read]]
            call.succeed(replies[start:end], read, replicas, clean)
