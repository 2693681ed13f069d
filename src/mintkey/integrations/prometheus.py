"""Events and health as metrics for Prometheus."""

from mintkey.errors import ConfigurationError, MissingExtraError
from mintkey.events import Event
from mintkey.health import Health
from mintkey.integrations.vocabulary import CHECK_FIGURE, CHECK_OK, WORDS, BoundedWords, amount_of

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
except ImportError as _error:
    raise MissingExtraError(
        "metrics for Prometheus need prometheus-client: pip install 'mintkey[prometheus]'"
    ) from _error

__all__ = ["PrometheusHook"]


class PrometheusHook:
    """A `Hook` that counts every event.

    The metrics are `mintkey_tokens_minted_total`, `…_verified_total`, `…_spent_total`, `…_rejected_total`,
    `mintkey_revocations_total`, `mintkey_reuse_detected_total`, `mintkey_backend_degraded_total`,
    `mintkey_keys_rotated_total` and `mintkey_keys_revoked_total`, and, once `record` was called, `mintkey_check_ok` and
    `mintkey_check_figure`. Labels are closed sets: purpose, reason, what, ring, is_own, check. Code that makes ever new
    purposes or rings floods nothing: beyond 300 words there is only `other`.

    Several services of a process share one hook.

    Args:
        registry: Where the metrics are registered; by default the process's own.

    Raises:
        ConfigurationError: The registry has metrics of these names already, of another hook as a rule
            (`configuration`).

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> from mintkey.events import Minted
        >>> registry = CollectorRegistry()
        >>> hook = PrometheusHook(registry=registry)  # TokenService(..., hooks=[hook])
        >>> hook(Minted(purpose="magic-login", key_id="k1"))
        >>> registry.get_sample_value("mintkey_tokens_minted_total", {"purpose": "magic-login"})
        1.0
    """

    def __init__(self, *, registry: CollectorRegistry | None = None) -> None:
        registry = REGISTRY if registry is None else registry
        try:
            self._counters = {
                kind: Counter(_named(words.counter), words.counted, words.labels, registry=registry)
                for kind, words in WORDS.items()
            }
            # Of the workers of one machine the one that is worst off is shown.
            self._ok = Gauge(
                _named(CHECK_OK),
                "Whether a part of the service can do its work.",
                ["check"],
                registry=registry,
                multiprocess_mode="livemin",
            )
            self._figure = Gauge(
                _named(CHECK_FIGURE),
                "The number that goes with a check.",
                ["check"],
                registry=registry,
                multiprocess_mode="livemax",
            )
        except ValueError as error:
            raise ConfigurationError(
                "PrometheusHook: the registry has metrics of mintkey already: share one hook, or pass another registry="
            ) from error
        self._words = BoundedWords()

    def __call__(self, event: Event, /) -> None:
        """Count an event."""
        words = WORDS.get(type(event))
        if words is None:
            return
        labels = words.labelled(event, self._words)
        self._counters[type(event)].labels(**labels).inc(amount_of(event))

    def record(self, health: Health, /) -> None:
        """Show what `TokenService.health` found: a gauge each for whether a check is well, and for its figure.

        Call it where health is asked for anyway, as for a readiness probe, or in a task of its own.

        Example:
            ```python
            @app.get("/ready")
            async def ready(tokens: ServiceDep) -> Response:
                health = await tokens.health()
                metrics.record(health)
                return Response(status_code=200 if health.ok else 503)
            ```
        """
        for name, check in health.checks.items():
            label = self._words.bound(name)
            self._ok.labels(check=label).set(check.ok)
            self._figure.labels(check=label).set(check.figure)


def _named(parts: str) -> str:
    return f"mintkey_{parts.replace('.', '_')}"
