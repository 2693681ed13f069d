"""Events and health as metrics and span events for OpenTelemetry, read back by its SDK."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mintkey import InvalidTokenError, Purpose, TokenService
from mintkey.events import Event, Minted
from mintkey.health import Check, Health
from mintkey.integrations.opentelemetry import OpenTelemetryHook
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from tests.support.events import EVENTS

LINK = Purpose("link", lifetime=timedelta(minutes=10), single_use=True)

Told = dict[tuple[str, str], int | float]

COUNTED: Told = {
    ("mintkey.tokens.minted", "purpose=link"): 3,
    ("mintkey.tokens.verified", "purpose=link"): 1,
    ("mintkey.tokens.spent", "purpose=link"): 1,
    ("mintkey.tokens.rejected", "purpose=link reason=replayed"): 1,
    ("mintkey.revocations", "purpose=access what=subject"): 1,
    ("mintkey.reuse.detected", "purpose=refresh"): 1,
    ("mintkey.backend.degraded", "purpose=link reason=replay_unavailable"): 1,
    ("mintkey.keys.rotated", "is_own=true ring=default"): 1,
    ("mintkey.keys.revoked", "is_own=false ring=default"): 1,
}


class Metrics:
    """A provider of meters, and what was measured by them."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)

    def told(self) -> Told:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        metrics = [m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics]
        told: Told = {}
        for metric in metrics:
            assert isinstance(metric.data, Sum | Gauge)
            for point in metric.data.data_points:
                told[metric.name, _joined(point.attributes or {})] = point.value
        return told


def _joined(attributes: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(attributes.items()))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


def test_every_event_is_counted(metrics: Metrics) -> None:
    hook = OpenTelemetryHook(meter_provider=metrics.provider)
    for event in EVENTS:
        hook(event)
    assert metrics.told() == COUNTED


def test_an_event_of_somebody_else_is_not_told(metrics: Metrics) -> None:
    OpenTelemetryHook(meter_provider=metrics.provider)(Event(purpose="link"))
    assert metrics.told() == {}


def test_ever_new_purposes_flood_nothing(metrics: Metrics) -> None:
    hook = OpenTelemetryHook(meter_provider=metrics.provider)
    for number in range(1000):
        hook(Minted(purpose=f"p{number}", key_id="k1"))
    told = metrics.told()
    assert len(told) == 301
    assert told["mintkey.tokens.minted", "purpose=other"] == 700


def test_health_is_shown_as_it_was_told_last(metrics: Metrics) -> None:
    hook = OpenTelemetryHook(meter_provider=metrics.provider)
    hook.record(Health({"replay": Check(ok=True, word="ready", figure=1.5)}))
    hook.record(Health({"replay": Check(ok=False, word="away", figure=0)}))
    assert metrics.told() == {
        ("mintkey.check.ok", "check=replay"): 0,
        ("mintkey.check.figure", "check=replay"): 0,
    }


async def test_what_happens_is_noted_in_the_span_in_which_it_happens(
    metrics: Metrics, spans: InMemorySpanExporter, tracing: TracerProvider, mintkey_clock
) -> None:
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[OpenTelemetryHook(meter_provider=metrics.provider)],
    )
    token = await tokens.mint(LINK, subject="alice")
    with tracing.get_tracer("app").start_as_current_span("POST /magic"):
        await tokens.verify(token, LINK)
        with pytest.raises(InvalidTokenError):
            await tokens.verify(token, LINK)
    (span,) = spans.get_finished_spans()
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("mintkey.verified", {"mintkey.purpose": "link", "mintkey.key_id": token.key_id}),
        ("mintkey.spent", {"mintkey.purpose": "link", "mintkey.key_id": token.key_id}),
        ("mintkey.rejected", {"mintkey.purpose": "link", "mintkey.reason": "replayed"}),
    ]
    everything = span.to_json() + repr(metrics.told())
    assert not any(secret in everything for secret in ("alice", token.id, str(token)))


def test_without_an_sdk_it_costs_nothing_and_does_nothing() -> None:
    hook = OpenTelemetryHook()
    for event in EVENTS:
        hook(event)
    hook.record(Health({}))
