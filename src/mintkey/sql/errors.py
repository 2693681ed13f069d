"""From what a driver raises to what we say: the cause without its parameters, and one line about it."""

from typing import Protocol

from sqlalchemy.exc import DBAPIError

from mintkey.errors import BackendError

__all__ = ["Failure", "cause_of", "explain"]


class Failure(Protocol):
    """How a room words that its database failed."""

    def __call__(self, message: str, /, *, may_have_happened: bool) -> BackendError:
        """The error to raise.

        Args:
            message: What is wrong, without secrets.
            may_have_happened: A commit was under way, so nobody knows whether it took place.
        """
        ...


def cause_of(error: Exception, /) -> Exception:
    """The driver's own exception.

    SQLAlchemy's wrapper would show the statement with its parameters in every traceback: ring documents and owners.
    """
    if not isinstance(error, DBAPIError) or not isinstance(error.orig, Exception):
        return error
    # An asyncio driver's own exception is wrapped once more.
    cause = error.orig.__cause__ if isinstance(error.orig.__cause__, Exception) else error.orig
    if "detail" in vars(cause):
        vars(cause)["detail"] = None  # asyncpg: the columns of the row that did not fit
    return cause


def explain(cause: Exception, /) -> str:
    """One line about a driver's exception; what servers put on further lines shows values of columns."""
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return next(iter(str(cause).splitlines()), type(cause).__name__)
