"""Events and health as metrics and span events for OpenTelemetry, calls as spans: by its API package alone."""

from mintkey._version import __version__
from mintkey.errors import MissingExtraError
from mintkey.events import Event
from mintkey.health import Health
from mintkey.integrations.vocabulary import CHECK_FIGURE, CHECK_OK, WORDS, BoundedWords, amount_of

try:
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import get_current_span
except ImportError as _error:
    raise MissingExtraError("OpenTelemetry needs its API package: pip install 'mintkey[otel]'") from _error

from mintkey.integrations.spans import instrument

__all__ = ["OpenTelemetryHook", "instrument"]


class OpenTelemetryHook:
    """A `Hook` that counts every event, and notes it in the span in which it happens.

    Counters are `mintkey.tokens.minted`, `.verified`, `.spent`, `.rejected`, `mintkey.revocations`,
    `mintkey.reuse.detected`, `mintkey.backend.degraded`, `mintkey.keys.rotated` and `mintkey.keys.revoked`; gauges,
    once `record` was called, `mintkey.check.ok` and `mintkey.check.figure`. Exported to Prometheus they have the names
    and labels of `PrometheusHook`, so that one dashboard shows both.

    The current span, if it is recorded, gets an event such as `mintkey.rejected` with attributes such as
    `mintkey.reason`. Kids are among them; subjects, ids and tokens are not. `instrument` gives every call a span.

    Args:
        meter_provider: Where metrics go; by default the process's own, also if that is set later.

    Example:
        >>> from mintkey.events import Minted
        >>> hook = OpenTelemetryHook()  # TokenService(..., hooks=[hook])
        >>> hook(Minted(purpose="magic-login", key_id="k1"))
    """

    def __init__(self, *, meter_provider: MeterProvider | None = None) -> None:
        meter = get_meter("mintkey", __version__, meter_provider)
        self._counters = {
            kind: meter.create_counter(f"mintkey.{words.counter}", description=words.counted)
            for kind, words in WORDS.items()
        }
        self._ok = meter.create_gauge(
            f"mintkey.{CHECK_OK}", description="Whether a part of the service can do its work."
        )
        self._figure = meter.create_gauge(f"mintkey.{CHECK_FIGURE}", description="The number that goes with a check.")
        self._words = BoundedWords()

    def __call__(self, event: Event, /) -> None:
        """Count an event, and note it in the current span."""
        words = WORDS.get(type(event))
        if words is None:
            return
        self._counters[type(event)].add(amount_of(event), words.labelled(event, self._words))
        span = get_current_span()
        if span.is_recording():
            told = words.told(event)
            span.add_event(f"mintkey.{words.name}", {f"mintkey.{field}": value for field, value in told.items()})

    def record(self, health: Health, /) -> None:
        """Show what `TokenService.health` found: a gauge each for whether a check is well, and for its figure.

        Call it where health is asked for anyway, as for a readiness probe, or in a task of its own.
        """
        for name, check in health.checks.items():
            label = {"check": self._words.bound(name)}
            self._ok.set(int(check.ok), label)
            self._figure.set(check.figure, label)
