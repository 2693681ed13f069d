"""Calls through a port: whatever a backend does, one kind of error comes out."""

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from mintkey.errors import KeyProviderError, MintkeyError

__all__ = ["answer_of"]

T = TypeVar("T")


async def answer_of(call: Awaitable[T], /, *, task: str, deadline: float | None = None) -> T:
    """What a store or custodian answers.

    Args:
        call: The call, begun.
        task: What it was to do, for the error, as in "load ring 'default'".
        deadline: Seconds of real time after which it counts as away; None: it keeps deadlines itself.

    Raises:
        KeyProviderError: It failed, timed out, or let an error of its driver out (`keys_unavailable`). Our own errors
            pass as they are.
    """
    try:
        with anyio.fail_after(deadline):
            return await call
    except MintkeyError:
        raise
    except Exception as error:
        raise KeyProviderError(f"could not {task}: {type(error).__name__}", details={"task": task}) from error
