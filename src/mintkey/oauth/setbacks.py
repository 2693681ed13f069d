"""When to try again after a failure: at once at first, then less often, and not before the other side wants it."""

from math import inf

from mintkey.clock import Clock
from mintkey.errors import MintkeyError

__all__ = ["Setbacks"]

_WITHOUT_HURRY = 5.0  # seconds between two tries while there is something to go on with
_IN_A_ROW = 3  # failures after which those who have nothing to go on with are held back, too
_IN_NEED = 1.0  # seconds for which they are
_LONGEST = 60.0  # seconds for which the other side may ask us to stay away


class Setbacks:
    """The failures since the last success.

    A provider that is down is not helped by a request for each of ours, and one that answers "too many" less so.

    Args:
        clock: Where time comes from.
    """

    def __init__(self, clock: Clock, /) -> None:
        self._clock = clock
        self._failures = 0
        self._failure: Exception | None = None
        self._calm_until = self._need_until = -inf
        self._is_failing = False

    @property
    def is_failing(self) -> bool:
        """Whether the last try failed, or goes on for longer than anybody should wait for."""
        return self._is_failing

    def succeeded(self) -> None:
        """Forget them."""
        self._failures = 0
        self._failure = None
        self._calm_until = self._need_until = -inf
        self._is_failing = False

    def failed(self, error: Exception, /) -> None:
        """One more. Its detail `retry_after` says for how many seconds the other side does not want to be asked."""
        now = self._clock.monotonic()
        asked = error.details.get("retry_after") if isinstance(error, MintkeyError) else None
        pause = min(asked, _LONGEST) if isinstance(asked, float) else 0.0
        self._failures += 1
        self._failure = error
        self._calm_until = now + max(pause, _WITHOUT_HURRY)
        self._need_until = now + max(pause, _IN_NEED if self._failures >= _IN_A_ROW else 0.0)
        self._is_failing = True

    def waited_in_vain(self) -> None:
        """Somebody waited for a try that goes on: those who come meanwhile need not do so, too."""
        self._is_failing = True

    @property
    def is_calm(self) -> bool:
        """Whether those who have something to go on with should not try yet."""
        return self._clock.monotonic() < self._calm_until

    def check(self) -> None:
        """Fail as the last try did, if even those in need should not try yet."""
        if self._failure is not None and self._clock.monotonic() < self._need_until:
            raise self._failure.with_traceback(None)
