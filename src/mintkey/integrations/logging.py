"""Events as log records of the standard library, with their words as fields; and access logs without tokens."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from mintkey.errors import ConfigurationError
from mintkey.events import (
    BackendDegraded,
    Event,
    KeyRevoked,
    Minted,
    Rejected,
    ReuseDetected,
    Revoked,
    Rotated,
    Spent,
    Verified,
)
from mintkey.integrations.redacting import RedactTokens
from mintkey.integrations.vocabulary import OUTAGES, WORDS

__all__ = ["LoggingHook", "RedactTokens"]

_LEVELS: Mapping[type[Event], int] = MappingProxyType(
    {
        # Once a request, so not for production unless somebody asks for it.
        Minted: logging.DEBUG,
        Verified: logging.DEBUG,
        Spent: logging.DEBUG,
        # Anybody can send bad tokens; that must not page an operator.
        Rejected: logging.INFO,
        Revoked: logging.INFO,
        Rotated: logging.INFO,
        KeyRevoked: logging.WARNING,
        BackendDegraded: logging.WARNING,
        ReuseDetected: logging.WARNING,
    }
)


class LoggingHook:
    """A `Hook` that writes every event to a logger.

    A record's message is for people (`rejected purpose=access reason=expired`); its fields are for programs, as
    `extra`: `mintkey_event`, and each word of the event after `mintkey_`. There is never a subject, a `jti` or a token.

    What happens with every request is DEBUG; what a client may cause, and a rotation, is INFO; a refresh token that
    came again, a revoked key and a backend in trouble are WARNING; a token that nobody could decide about is ERROR.

    Args:
        logger: Where to; by default the logger `mintkey.events`. Handlers run on the event loop, so give it a
            `QueueHandler` if they may block.
        levels: Other levels, by type of event; one for `Rejected` is for all its reasons.

    Raises:
        ConfigurationError: A level is for something that is not told (`configuration`).

    Example:
        >>> import sys
        >>> logger = logging.getLogger("myapp.audit")
        >>> logger.setLevel(logging.INFO)
        >>> logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> hook = LoggingHook(logger, levels={Minted: logging.INFO})
        >>> hook(Minted(purpose="magic-login", key_id="k1"))
        minted purpose=magic-login key_id=k1 count=1
    """

    def __init__(
        self, logger: logging.Logger | None = None, /, *, levels: Mapping[type[Event], int] = MappingProxyType({})
    ) -> None:
        ConfigurationError.raise_if(
            f"LoggingHook: levels names {kind.__name__}, which is not told" for kind in levels if kind not in WORDS
        )
        self._logger = logging.getLogger("mintkey.events") if logger is None else logger
        self._levels: Mapping[type[Event], int] = {**_LEVELS, **levels}
        self._outage_level = levels.get(Rejected, logging.ERROR)

    def __call__(self, event: Event, /) -> None:
        """Write an event down, unless its level is off."""
        words = WORDS.get(type(event))
        if words is None:
            return
        is_outage = isinstance(event, Rejected) and event.reason in OUTAGES
        level = self._outage_level if is_outage else self._levels[type(event)]
        if not self._logger.isEnabledFor(level):
            return
        told = words.told(event)
        message = " ".join((words.name, *(f"{field}={value}" for field, value in told.items())))
        fields = {f"mintkey_{field}": value for field, value in told.items()}
        self._logger.log(level, "%s", message, extra={"mintkey_event": words.name, **fields})
