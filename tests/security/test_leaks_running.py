"""A service at work, in trouble and under attack tells logs, traces, metrics, events and warnings no secret."""

import asyncio
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from mintkey import MintkeyError, MintRequest, Purpose, TokenService, presets
from mintkey.integrations.logging import LoggingHook
from mintkey.integrations.opentelemetry import OpenTelemetryHook, instrument
from mintkey.integrations.prometheus import PrometheusHook
from mintkey.jose import base64url
from mintkey.keys import Sealer
from mintkey.refresh import RefreshFlow
from tests.support.aftermath import told_by
from tests.support.needles import Needles, bearing_members

PERSON = "alice.of.wonderland@example.com"
PASSWORD = "correct-horse-battery-staple"
LINK = Purpose("link", lifetime=timedelta(minutes=5), single_use=True, revocable=True)
ACCESS, SESSION = (one.replace(audience="app") for one in (presets.ACCESS, presets.REFRESH))


_ORDINARY = vars(logging.makeLogRecord({})).keys()


class Observer(logging.Handler):
    """Hears everything that anybody is told, at every level, and keeps it."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.heard: list[str] = []
        self.registry = CollectorRegistry()
        self._metrics, self._spans = InMemoryMetricReader(), InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.hooks: list[Callable[[Any], None]] = [
            lambda event: self.heard.append(repr(event)),
            LoggingHook(levels={}),
            PrometheusHook(registry=self.registry),
            OpenTelemetryHook(meter_provider=MeterProvider([self._metrics], shutdown_on_exit=False)),
        ]

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        self.heard += [repr(record.args), repr(extra), self.format(record)]

    def everything(self) -> str:
        """All that was heard, and what there is to be collected."""
        metrics = self._metrics.get_metrics_data()
        collected = [span.to_json() for span in self._spans.get_finished_spans()]
        if metrics is not None:
            collected.append(metrics.to_json())
        collected.append(generate_latest(self.registry).decode())
        return "\n".join(dict.fromkeys([*self.heard, *collected]))


@contextmanager
def observing() -> Iterator[Observer]:
    """Everything that is logged or warned of, at the lowest level, debugging of the event loop included."""
    observer, root = Observer(), logging.getLogger()
    before = root.level
    noisy = [logging.getLogger(name) for name in ("asyncio", "mintkey", "sqlalchemy", "redis", "httpx2", "aiosqlite")]
    levels = [logger.level for logger in noisy]
    root.addHandler(observer)
    root.setLevel(1)
    for logger in noisy:
        logger.setLevel(1)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield observer
        observer.heard += [f"{warning.message!r} {warning.line}" for warning in warned]
    finally:
        root.removeHandler(observer)
        root.setLevel(before)
        for logger, level in zip(noisy, levels, strict=True):
            logger.setLevel(level)


async def life(tokens: TokenService, observer: Observer, needles: Needles) -> int:
    """Everything that a service does, once as it should be and once as it should not; how many calls were refused."""
    refusals = 0

    def note(name: str, token: str) -> str:
        for what, secret in bearing_members(name, token).items():
            needles.add(what, secret)
        return str(token)

    async def expect(call: Any) -> None:
        nonlocal refusals
        try:
            await call
        except MintkeyError as error:
            refusals += 1
            observer.heard.append(told_by(error))
            logging.getLogger("app").exception("refused: %r", error.details)

    async def failing(token: str) -> None:
        async with tokens.redeem(token, LINK):
            raise RuntimeError("the work failed")

    link = note("link", await tokens.mint(LINK, subject=PERSON, claims={"email": PERSON}))
    others = await tokens.mint_many(LINK, [MintRequest(subject=PERSON, claims={"email": PERSON}) for _ in range(3)])
    one, two, three = (note(f"link {number}", token) for number, token in enumerate(others))
    await tokens.peek(link, LINK)
    await tokens.verify(link, LINK)
    with suppress(RuntimeError):
        await failing(one)
    await tokens.revoke(two, LINK)
    for token in (link, two, link[:-9] + "AAAAAAAAA", link.replace(".", ".."), link + "é", link * 90):
        for call in (tokens.peek, tokens.verify, tokens.revoke):
            await expect(call(token, LINK))
            await expect(call(token, LINK.replace(audience="somebody.else")))
    await tokens.revoke_subject(PERSON, LINK)
    await expect(tokens.verify(three, LINK))
    flow = instrument(RefreshFlow(tokens, access=ACCESS, refresh=SESSION, grace=timedelta(0)))
    pair = await flow.issue(PERSON, claims={"email": PERSON})
    again = await flow.refresh(note("refresh", pair.refresh))
    for name, token in {"access": pair.access, "second access": again.access, "second": again.refresh}.items():
        note(name, token)
    await expect(flow.refresh(pair.refresh))
    await expect(flow.refresh(again.refresh))
    await expect(tokens.mint(LINK, claims={"email": {PERSON}}))
    await expect(tokens.mint(LINK, subject=PERSON, claims={"sub": PERSON}))
    observer.heard += [repr(await tokens.health()), repr((await tokens.jwks()).as_dict())]
    return refusals


@contextmanager
def _slow_callbacks_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """The loop logs every callback, with what it was given."""
    loop.slow_callback_duration = 0.0
    loop.set_debug(True)
    try:
        yield
    finally:
        loop.set_debug(False)


PLACES = ["memory", "file", "sqlite", "valkey", "postgres"]


def url_of(place: str, request: pytest.FixtureRequest, directory: Path) -> str:
    match place:
        case "memory":
            return "memory://"
        case "file":
            return f"file://{directory / 'keys'}"
        case "sqlite":
            return f"sqlite:///{directory / 'keys.db'}"
        case _:
            return str(request.getfixturevalue(place).url)


@pytest.mark.parametrize("place", PLACES)
async def test_nobody_is_told_a_secret(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kek = Sealer.generate_key()
    needles = Needles({"person": PERSON, "KEK": kek, "KEK, decoded": base64url.decode(kek)})
    url = url_of(place, request, tmp_path)
    with observing() as observer, _slow_callbacks_of(asyncio.get_running_loop()):
        service = TokenService.from_url(url, issuer="https://myapp.example", sealer=Sealer([kek]), hooks=observer.hooks)
        async with instrument(service, tracer_provider=observer.tracers) as tokens:
            refusals = await life(tokens, observer, needles)
            (active, *_) = [version.kid for version in await tokens.workings.keys.versions()]
            await tokens.workings.keys.rotate()
            await tokens.workings.keys.revoke(active, reason="lost")
            await tokens.workings.keys.prune()
    assert refusals > 30
    everything = observer.everything()
    assert needles.found_in(everything) == set()
    for word in ("rejected purpose=link reason=", "mintkey_tokens_rejected_total", "mintkey.verify", "Executing <"):
        assert word in everything


async def test_nor_when_the_store_goes_away_in_the_middle(own_valkey) -> None:
    kek = Sealer.generate_key()
    needles = Needles({"person": PERSON, "KEK": kek, "KEK, decoded": base64url.decode(kek), "password": PASSWORD})
    own_valkey.command("CONFIG", "SET", "requirepass", PASSWORD)
    url = own_valkey.url.replace("redis://", f"redis://:{PASSWORD}@")
    with observing() as observer:
        service = TokenService.from_url(url, issuer="https://myapp.example", sealer=Sealer([kek]), hooks=observer.hooks)
        async with service as tokens:
            link = await tokens.mint(LINK, subject=PERSON, claims={"email": PERSON})
            for what, secret in bearing_members("link", link).items():
                needles.add(what, secret)
            own_valkey.kill()
            for call in (tokens.verify(link, LINK), tokens.revoke(link, LINK), tokens.workings.keys.rotate()):
                with pytest.raises(MintkeyError) as refusal:
                    await call
                observer.heard.append(told_by(refusal.value))
                observer.heard += traceback.format_exception(refusal.value)
    assert needles.found_in(observer.everything()) == set()
    assert "replay_unavailable" in observer.everything() or "replay_outcome_unknown" in observer.everything()
