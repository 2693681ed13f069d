"""Where internal errors of the Redis room become public ones of the replay room."""

from contextlib import AbstractContextManager
from types import TracebackType

from mintkey.errors import Reason, ReplayStoreError
from mintkey.redis.errors import RedisCallError

__all__ = ["PUBLIC_ERRORS", "PUBLIC_ERRORS_OF_LOOKING", "public_error"]


def public_error(error: RedisCallError, /, *, nothing_written: bool = False) -> ReplayStoreError:
    """The public error for an internal one; in doubt the outcome is unknown.

    Args:
        error: What happened.
        nothing_written: The call only looked, so no outcome is in doubt.

    Example:
        >>> public_error(RedisCallError("no answer", code="timeout", may_have_run=True)).reason
        <Reason.REPLAY_OUTCOME_UNKNOWN: 'replay_outcome_unknown'>
    """
    in_doubt = error.may_have_run and not nothing_written
    reason = Reason.REPLAY_OUTCOME_UNKNOWN if in_doubt else Reason.REPLAY_UNAVAILABLE
    return ReplayStoreError(f"the replay store: {error}", reason=reason, details={"code": error.code})


class _PublicErrors(AbstractContextManager[None]):
    """Internal errors leave the block as public ones."""

    def __init__(self, *, nothing_written: bool = False) -> None:
        self._nothing_written = nothing_written

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if isinstance(exc, RedisCallError):
            raise public_error(exc, nothing_written=self._nothing_written) from exc


PUBLIC_ERRORS, PUBLIC_ERRORS_OF_LOOKING = _PublicErrors(), _PublicErrors(nothing_written=True)
