"""One caller's commands, and what became of them."""

import asyncio
from collections.abc import Sequence

from mintkey.redis.errors import RedisCallError, code_of
from mintkey.redis.protocol import Reply, ReplyError, pack, unpack
from mintkey.redis.troubles import explain

__all__ = ["Call"]

_ASKING = pack("ASKING")


class Call:
    """What one caller sends in one go, and the answer. It must bear being executed twice, unless it says otherwise.

    Args:
        commands: Packed commands.
        count: How many replies they have.
        also_read: A key whose value is read behind the commands, once for all calls of a batch that name it.
        pulse: A packed write of no consequence, sent where replicas are waited for: `WAIT` counts only what follows a
            write on its own connection, and `SET … NX` may have written nothing.

    Attributes:
        at_most_once: It does not bear being executed twice: once it was sent and the answer was lost, it has failed.
        deadline: Loop time at which the caller is told that there is no answer; 0 until it was sent.
        done: Done when there is an answer, or none is to come; cancelled with its caller.
        replies: The replies to the commands, errors among them.
        read: The value of `also_read`, or an error.
        replicas: How many replicas confirmed the writes.
        pulse_replies: How many replies the pulse has.
        clean: No reply in its whole batch is an error, so nobody has to look for one.
        in_flight: It is being sent, or was, and the reply is still to come.
        in_doubt: It was sent at least once without an answer.
        error: Why there is no answer.
        trouble: What the last attempt failed with.
    """

    # Defaults of the class where most calls keep them: there are thousands of these a second.
    at_most_once: bool = False
    done: "asyncio.Future[None]"
    replies: Sequence[Reply] = ()
    read: Reply = None
    replicas: int = 0
    pulse_replies: int = 1
    clean: bool = False
    in_flight: bool = False
    in_doubt: bool = False
    trouble: Exception | None = None

    def __init__(
        self, commands: bytes, count: int, also_read: bytes | None = None, pulse: bytes | None = None, /
    ) -> None:
        self.commands = commands
        self.count = count
        self.also_read = also_read
        self.pulse = pulse
        self.deadline: float = 0.0
        self.error: RedisCallError | None = None

    def after(self, earlier: "Call", /) -> "Call":
        """This call, as the continuation of one that was answered: it inherits the deadline and the doubts."""
        self.at_most_once = earlier.at_most_once
        self.deadline, self.in_doubt = earlier.deadline, earlier.in_doubt
        return self

    def again(self) -> "Call":
        """The same commands, as a continuation of this call."""
        return Call(self.commands, self.count, self.also_read, self.pulse).after(self)

    def asking(self) -> "Call":
        """This call, continued at a node to which its slot is still on the way; the shared read is left out.

        Every command is answered twice: the permission to ask for it comes first.
        """
        commands = b"".join(_ASKING + pack(*command) for command in unpack(self.commands))
        pulse = None if self.pulse is None else _ASKING + self.pulse
        asking = Call(commands, 2 * self.count, None, pulse).after(self)
        asking.pulse_replies = 2
        return asking

    def error_reply(self) -> ReplyError | None:
        """The first error among the replies."""
        if isinstance(self.read, ReplyError):
            return self.read
        for reply in self.replies:
            if isinstance(reply, ReplyError):
                return reply
        return None

    def raise_error_reply(self) -> None:
        """Raise if the server answered with an error.

        Raises:
            RedisCallError: A command was refused. If it is the first, only an earlier attempt may have run.
        """
        if self.clean:
            return
        reply = self.error_reply()
        if reply is not None:
            code, is_first = code_of(reply), isinstance(self.replies[0], ReplyError)
            may_have_run = self.in_doubt or not is_first
            raise RedisCallError(f"Redis refuses the command: {code}", code=code, may_have_run=may_have_run)

    def falter(self, trouble: Exception, /) -> None:
        """Remember an attempt that ended without an answer."""
        self.trouble = trouble
        self.in_doubt, self.in_flight = self.in_doubt or self.in_flight, False

    def raise_failure(self) -> None:
        """Raise if the caller was told that there is no answer.

        Raises:
            RedisCallError: It was.
        """
        if self.error is not None:
            raise self.error from self.trouble

    def expire(self) -> None:
        """Tell the caller that its time is over, and why nobody answered."""
        self.fail(*explain(None if self.in_flight else self.trouble))

    def fail(self, message: str, code: str) -> None:
        """Tell the caller that there is no answer."""
        if not self.done.done():
            # Not as the future's exception: the event loop would complain of it where the caller just left.
            self.error = RedisCallError(message, code=code, may_have_run=self.in_doubt or self.in_flight)
            self.done.set_result(None)

    def succeed(self, replies: Sequence[Reply], read: Reply, replicas: int, clean: bool, /) -> None:  # noqa: FBT001 - hot
        """Give the caller its answer."""
        if not self.done.done():
            self.replies, self.read, self.replicas, self.clean = replies, read, replicas, clean
            self.in_flight = False
            self.done.set_result(None)
