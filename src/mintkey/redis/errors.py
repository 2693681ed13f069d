"""What can go wrong between us and a Redis server, in the two words that matter: what, and whether it may have run."""

__all__ = ["RedisCallError", "code_of"]


class RedisCallError(Exception):
    """A call has no good answer. Internal: each backend turns it into its own public error.

    Args:
        message: What happened, without keys or values.
        code: `timeout`, `connection`, `protocol`, or the first word of the server's error reply (`READONLY`, `OOM`, …).
        may_have_run: The commands may have been executed, now or later. False is a proof, True is a doubt.
    """

    def __init__(self, message: str, /, *, code: str, may_have_run: bool) -> None:
        super().__init__(message)
        self.code = code
        self.may_have_run = may_have_run


def code_of(error_reply: Exception, /) -> str:
    """The first word of an error reply, which is all of it that is safe to show: the rest may quote keys.

    Example:
        >>> code_of(Exception("READONLY You can't write against a read only replica."))
        'READONLY'
        >>> code_of(Exception("a custom module says no"))
        'ERR'
    """
    word = str(error_reply).split(" ", 1)[0]
    return word if word.isalpha() and word.isupper() else "ERR"
