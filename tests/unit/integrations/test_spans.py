"""Calls as spans for OpenTelemetry, read back by its SDK."""

import asyncio
import gc
import inspect
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from mintkey import (
    ConfigurationError,
    InvalidTokenError,
    KeyProviderError,
    MintRequest,
    Purpose,
    Reason,
    ReplayStoreError,
    TokenReplayedError,
    TokenService,
    TokenVerifier,
)
from mintkey.integrations.fastapi import TokenBearer, lifespan
from mintkey.integrations.opentelemetry import OpenTelemetryHook, instrument
from mintkey.integrations.spans import CALLS
from mintkey.keys import MemoryKeyProvider
from mintkey.refresh import RefreshFlow
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FaultyReplayStore, StoreFault
from tests.support.web import bearer_header, client_of

LINK = Purpose("link", lifetime=timedelta(minutes=10), audience="app", single_use=True)
API = Purpose("api", lifetime=timedelta(minutes=5), audience="app", revocable=True)
REFRESH = Purpose("refresh", lifetime=timedelta(hours=1), audience="app")

Told = tuple[str, dict[str, Any]]


class Trace:
    """A provider of tracers, and the spans that ended."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._spans))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()

    def told(self) -> list[Told]:
        """Name and attributes of every span, by the order of their ends; they are forgotten then."""
        told = [(span.name, dict(span.attributes or {})) for span in self.spans]
        self._spans.clear()
        return told


@pytest.fixture
def trace() -> Trace:
    return Trace()


def service(**options: Any) -> TokenService:
    return TokenService(issuer="https://app.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore(), **options)


@pytest.fixture
async def tokens(trace: Trace) -> AsyncIterator[TokenService]:
    async with instrument(service(), tracer_provider=trace.provider) as tokens:
        yield tokens


def about(purpose: Purpose[Any], **more: object) -> dict[str, object]:
    return {"mintkey.purpose": purpose.name, **{f"mintkey.{name}": value for name, value in more.items()}}


async def test_every_call_is_a_span(trace: Trace, tokens: TokenService) -> None:
    link = await tokens.mint(LINK, subject="alice")
    await tokens.peek(link, LINK)
    await tokens.verify(link, LINK)
    await tokens.mint_many(API, [MintRequest(subject="alice")] * 3)
    await tokens.revoke(await tokens.mint(API, subject="alice"), API)
    await tokens.revoke_id(link.id, LINK, expires_at=link.expires_at)
    await tokens.revoke_subject("alice", API)
    assert trace.told() == [
        ("mintkey.mint", about(LINK)),
        ("mintkey.peek", about(LINK)),
        ("mintkey.verify", about(LINK)),
        ("mintkey.mint_many", about(API, count=3)),
        ("mintkey.mint", about(API)),
        ("mintkey.revoke", about(API)),
        ("mintkey.revoke_id", about(LINK)),
        ("mintkey.revoke_subject", about(API)),
    ]


def test_no_call_that_takes_a_purpose_is_left_out() -> None:
    for kind, names in CALLS.items():
        whole = TokenService if kind is TokenVerifier else kind
        public = {name for name, _ in inspect.getmembers(whole, inspect.isfunction) if not name.startswith("_")}
        silent = {"aclose", "jwks", "health"}
        assert public - silent == set(names)


async def test_a_refresh_flow_has_spans_of_its_own(trace: Trace, tokens: TokenService) -> None:
    flow = instrument(RefreshFlow(tokens, access=API, refresh=REFRESH), tracer_provider=trace.provider)
    pair = await flow.refresh((await flow.issue("alice")).refresh)
    await flow.revoke(pair.refresh)
    await flow.revoke_family(pair.family)
    names = ["issue", "refresh", "revoke", "revoke_family"]
    told = trace.told()
    assert [one for one in told if one[0] != "mintkey.revoke_family"] == [
        (f"mintkey.{name}", about(REFRESH)) for name in names[:3]
    ]
    # Signing out is one way of ending a family, so it is the parent of the other.
    assert [name for name, _ in told].count("mintkey.revoke_family") == 2


async def test_spans_are_children_of_that_of_the_request(trace: Trace) -> None:
    tokens = instrument(service(hooks=[OpenTelemetryHook()]), tracer_provider=trace.provider)
    tracer = trace.provider.get_tracer("server")
    app = FastAPI(lifespan=lifespan(tokens))

    @app.middleware("http")
    async def _server(request: Any, call_next: Any) -> Any:
        with tracer.start_as_current_span("GET /me"):
            return await call_next(request)

    @app.get("/me", dependencies=[Depends(TokenBearer(API))])
    async def _me() -> None: ...

    async with client_of(app) as client:
        headers = await bearer_header(tokens, API)
        trace.told()
        assert (await client.get("/me", headers=headers)).status_code == 200
    verify, request = trace.spans
    assert (verify.name, request.name) == ("mintkey.verify", "GET /me")
    assert verify.parent is not None
    assert request.context is not None
    assert verify.parent.span_id == request.context.span_id
    assert [event.name for event in verify.events] == ["mintkey.verified"]
    assert not request.events


async def test_a_bad_token_is_no_error_of_the_service(trace: Trace, tokens: TokenService) -> None:
    link = await tokens.mint(LINK, subject="alice")
    await tokens.verify(link, LINK)
    trace.told()
    for bad in (link, "nonsense"):
        with pytest.raises(InvalidTokenError):
            await tokens.verify(bad, LINK)
    used, malformed = trace.spans
    assert dict(used.attributes or {}) == about(LINK, reason="replayed")
    assert dict(malformed.attributes or {}) == about(LINK, reason="malformed")
    for span in (used, malformed):
        assert span.status.status_code is StatusCode.UNSET
        assert not span.events


async def test_a_mistake_of_ours_is_named_and_not_told(trace: Trace, tokens: TokenService) -> None:
    with pytest.raises(ConfigurationError):
        await tokens.mint(LINK, subject="")
    with pytest.raises(TypeError):
        await tokens.verify("a.b.c")  # type: ignore[call-arg]
    configuration, call = trace.spans
    assert dict(configuration.attributes or {}) == about(LINK, reason="configuration")
    assert dict(call.attributes or {}) == {"mintkey.purpose": ""}
    assert {span.status.status_code for span in trace.spans} == {StatusCode.UNSET}


async def test_a_call_that_is_cancelled_ends_its_span(trace: Trace) -> None:
    store = FaultyReplayStore(MemoryReplayStore())
    tokens = TokenService(issuer="https://app.example", keys=MemoryKeyProvider(), replay=store)
    async with instrument(tokens, tracer_provider=trace.provider):
        link = await tokens.mint(LINK, subject="alice")
        trace.told()
        store.fail(StoreFault.HANG)
        spending = asyncio.create_task(tokens.verify(link, LINK))
        await asyncio.sleep(0)
        spending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spending
    (span,) = trace.spans
    assert (span.status.status_code, len(span.events)) == (StatusCode.UNSET, 0)
    assert trace.told() == [("mintkey.verify", about(LINK))]


class Away(MemoryReplayStore):
    """A store that says of itself why it does not answer."""

    reason = Reason.REPLAY_UNAVAILABLE

    async def claim(self, *_: Any, **__: Any) -> Any:
        raise ReplayStoreError("redis at cache.internal.example is away", reason=self.reason)


@pytest.mark.parametrize("reason", [Reason.REPLAY_UNAVAILABLE, Reason.REPLAY_OUTCOME_UNKNOWN], ids=str)
async def test_a_backend_that_is_to_blame_is_an_error(trace: Trace, reason: Reason) -> None:
    store = Away()
    store.reason = reason
    tokens = TokenService(issuer="https://app.example", keys=MemoryKeyProvider(), replay=store)
    instrument(tokens, tracer_provider=trace.provider)
    with pytest.raises(ReplayStoreError):
        await tokens.verify(await tokens.mint(LINK, subject="alice"), LINK)
    span = trace.spans[-1]
    assert dict(span.attributes or {}) == {**about(LINK, reason=reason), "error.type": reason}
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, reason)
    assert "cache.internal" not in span.to_json()


async def test_a_token_that_somebody_else_is_spending_is_no_error(trace: Trace, tokens: TokenService) -> None:
    link = await tokens.mint(LINK, subject="alice")
    async with tokens.redeem(link, LINK):
        with pytest.raises(ReplayStoreError):
            await tokens.verify(link, LINK)
    verify = next(span for span in trace.spans if span.name == "mintkey.verify")
    assert dict(verify.attributes or {}) == about(LINK, reason="token_reserved")
    assert verify.status.status_code is StatusCode.UNSET


class TestRedeem:
    """A span for the reservation and one for its end; the work between them is the caller's."""

    async def test_the_block_succeeds(self, trace: Trace, tokens: TokenService) -> None:
        link = await tokens.mint(LINK, subject="alice")
        trace.told()
        tracer = trace.provider.get_tracer("app")
        with tracer.start_as_current_span("request"):
            async with tokens.redeem(link, LINK) as used:
                assert used.subject == "alice"
                with tracer.start_as_current_span("charge"):
                    pass
        parents = {span.name: span.parent.span_id if span.parent else None for span in trace.spans}
        assert list(parents) == ["mintkey.redeem", "charge", "mintkey.commit", "request"]
        (request,) = (span.context.span_id for span in trace.spans if span.name == "request" and span.context)
        assert set(parents.values()) == {request, None}
        trace.told()
        with pytest.raises(TokenReplayedError):
            async with tokens.redeem(link, LINK):
                pass
        assert trace.told() == [("mintkey.redeem", about(LINK, reason="replayed"))]

    async def test_the_block_raises(self, trace: Trace, tokens: TokenService) -> None:
        link = await tokens.mint(LINK, subject="alice")
        trace.told()
        for error in (RuntimeError("no money"), KeyProviderError("of another service")):
            with pytest.raises(type(error)):
                async with tokens.redeem(link, LINK):
                    raise error
        *_, release = trace.spans
        assert release.status.status_code is StatusCode.UNSET
        assert "no money" not in "".join(span.to_json() for span in trace.spans)
        assert [name for name, _ in trace.told()] == ["mintkey.redeem", "mintkey.release"] * 2

    async def test_the_block_is_cancelled(self, trace: Trace, tokens: TokenService) -> None:
        link = await tokens.mint(LINK, subject="alice")
        trace.told()
        with pytest.raises(asyncio.CancelledError):
            async with tokens.redeem(link, LINK):
                raise asyncio.CancelledError
        assert [name for name, _ in trace.told()] == ["mintkey.redeem"]

    async def test_a_mistake_is_told_at_once(self, trace: Trace, tokens: TokenService) -> None:
        with pytest.raises(ConfigurationError, match="single-use"):
            tokens.redeem("a.b.c", API)
        assert not trace.told()


async def test_no_span_has_a_subject_an_id_or_a_token(trace: Trace, tokens: TokenService) -> None:
    link = await tokens.mint(LINK, subject="alice", claims={"plan": "gold"})
    async with tokens.redeem(link, LINK):
        pass
    with pytest.raises(InvalidTokenError):
        await tokens.verify(link, LINK)
    await tokens.revoke_subject("alice", API)
    everything = "".join(span.to_json() for span in trace.spans)
    assert not any(secret in everything for secret in ("alice", "gold", link.id, str(link), link.key_id))


class TestInstrument:
    """It is the same object, with a class of its own."""

    async def test_a_verifier_has_fewer_calls(self, trace: Trace) -> None:
        tokens = service()
        verifier = TokenVerifier(issuer="https://app.example", keys=tokens.workings.keys)
        plain = Purpose("plain", lifetime=timedelta(minutes=1))
        assert instrument(verifier, tracer_provider=trace.provider) is verifier
        await verifier.verify(await tokens.mint(plain), plain)
        assert trace.told() == [("mintkey.verify", about(plain))]
        assert not hasattr(verifier, "mint")

    async def test_twice_is_as_good_as_once(self, trace: Trace, tokens: TokenService) -> None:
        instrument(tokens, tracer_provider=trace.provider)
        await tokens.mint(API)
        assert len(trace.told()) == 1

    async def test_a_class_of_somebody_is_respected(self, trace: Trace) -> None:
        class Counting(TokenService):
            """Counts what it mints."""

            count = 0

            async def mint(self, *args: Any, **options: Any) -> Any:
                self.count += 1
                return await super().mint(*args, **options)

        tokens = Counting(issuer="https://app.example", keys=MemoryKeyProvider(), replay=MemoryReplayStore())
        instrument(tokens, tracer_provider=trace.provider)
        await tokens.mint(API)
        assert (tokens.count, len(trace.told())) == (1, 1)
        assert (type(tokens).__name__, type(tokens).__doc__) == ("Counting", "Counts what it mints.")
        assert isinstance(tokens, Counting)

    def test_others_keep_their_class(self) -> None:
        one, other = service(), service()
        instrument(one)
        assert type(other) is TokenService
        assert type(one) is not TokenService

    def test_the_object_is_held_by_nobody(self) -> None:
        gc.disable()
        try:
            tokens = instrument(service())
            gone = weakref.ref(tokens)
            del tokens
            assert gone() is None
        finally:
            gc.enable()

    async def test_without_an_sdk_calls_go_on(self) -> None:
        tokens = instrument(service())
        assert (await tokens.verify(await tokens.mint(LINK, subject="alice"), LINK)).subject == "alice"
