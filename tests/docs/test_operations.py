"""The guide to operations: its application is served against a real Redis, and its tables are those of the files."""

import ast
import asyncio
import inspect
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import anyio
import httpx2
import opentelemetry.trace
import pytest
import yaml  # type: ignore[import-untyped]  # it has no types
from anyio import to_thread
from fastapi import Depends, FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from mintkey import InvalidTokenError, Purpose, TokenService, VerifiedToken
from mintkey.events import KeyRevoked, ReuseDetected, Spent, emit
from mintkey.integrations.fastapi import TokenBearer
from mintkey.keys import Sealer
from mintkey.replay import RedisReplayStore
from tests.docs.page import ROOT, Page
from tests.support.servers import RedisServer
from tests.support.web import client_of

PAGE = Page("how-to/operations")
ACCESS = Purpose("access", lifetime=timedelta(minutes=5), revocable=True)
WORKER = """
from mintkey.events import Minted
from mintkey.integrations.prometheus import PrometheusHook

PrometheusHook()(Minted(purpose="access", key_id="k1"))
"""
PROBES, SCRAPING = (yaml.safe_load(block) for block in PAGE.blocks("yaml"))


@pytest.fixture
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a process's own tracer provider exports; it can be set only once, so here it is taken back."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", provider)
    return exporter


def guarded(guide: SimpleNamespace, url: str) -> FastAPI:
    """The page's application with a route that a token opens."""
    app: FastAPI = guide.application(url, Sealer.generate_key())
    bearer = TokenBearer(ACCESS)

    @app.get("/me")
    async def _me(user: Annotated[VerifiedToken[Any], Depends(bearer)]) -> str | None:
        return user.subject

    return app


@pytest.fixture
def app(guide: SimpleNamespace, own_valkey: RedisServer) -> FastAPI:
    return guarded(guide, own_valkey.url)


@pytest.fixture
async def client(spans: InMemorySpanExporter, app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def test_probes_logs_metrics_and_traces_tell_of_the_same(
    app: FastAPI,
    client: httpx2.AsyncClient,
    own_valkey: RedisServer,
    spans: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokens: TokenService = app.state.tokens
    good = await tokens.mint(ACCESS, subject="alice")
    with caplog.at_level(logging.INFO, logger="mintkey"):
        assert (await client.get("/me", headers={"Authorization": f"Bearer {good}"})).status_code == 200
        assert (await client.get("/me", headers={"Authorization": "Bearer nonsense"})).status_code == 401
        live, ready = PROBES["livenessProbe"]["httpGet"]["path"], PROBES["readinessProbe"]["httpGet"]["path"]
        assert (await client.get(live)).status_code == 200
        answer = await client.get(ready)
        assert answer.status_code == 200
        assert answer.json()["keys"] == "active"

        await to_thread.run_sync(own_valkey.kill)
        with anyio.fail_after(60):
            answer = await client.get(ready)
        assert answer.status_code == 200, "a process that can go on is ready"
        assert answer.json()["replay"] != "ready"
        assert (await client.get(live)).status_code == 200
        away = await client.get("/me", headers={"Authorization": f"Bearer {good}"})
        assert (away.status_code, "retry-after" in away.headers) == (503, True)

    scraped = (await client.get(SCRAPING["scrape_configs"][0]["metrics_path"])).text
    for line in (
        'mintkey_tokens_minted_total{purpose="access"} 1.0',
        'mintkey_tokens_verified_total{purpose="access"} 1.0',
        'mintkey_tokens_rejected_total{purpose="access",reason="malformed"} 1.0',
        'mintkey_check_ok{check="keys"} 1.0',
        'mintkey_check_ok{check="replay"} 0.0',
    ):
        assert line in scraped
    levels = {record.levelname for record in caplog.records if "reason=malformed" in record.getMessage()}
    assert levels == {"INFO"}
    assert any(record.levelname == "ERROR" and "reason=replay_" in record.getMessage() for record in caplog.records)
    verified = [span for span in spans.get_finished_spans() if span.name == "mintkey.verify"]
    reasons = [((span.attributes or {}).get("mintkey.reason"), span.status.status_code) for span in verified]
    assert reasons[:2] == [(None, StatusCode.UNSET), ("malformed", StatusCode.UNSET)]
    assert reasons[2:] in (
        [("replay_unavailable", StatusCode.ERROR)],
        [("replay_outcome_unknown", StatusCode.ERROR)],
    )
    told = scraped + caplog.text + "".join(span.to_json() for span in spans.get_finished_spans())
    assert not any(secret in told for secret in ("alice", good.id, str(good)))


def test_a_probe_has_the_time_that_an_outage_takes() -> None:
    """Everything is asked at once (tests/unit/test_lifecycle.py), so it takes little longer than one call may take."""
    timeout: timedelta = inspect.signature(RedisReplayStore).parameters["timeout"].default
    assert timeout == timedelta(seconds=2)
    assert PROBES["readinessProbe"]["timeoutSeconds"] >= 2 * timeout.total_seconds()
    assert PROBES["readinessProbe"]["periodSeconds"] > PROBES["readinessProbe"]["timeoutSeconds"]


# Logs


@pytest.fixture
def untouched_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("mintkey")
    level, handlers = logger.level, logger.handlers[:]
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.usefixtures("untouched_logger")
async def test_a_record_is_written_as_the_page_shows(guide: SimpleNamespace) -> None:
    written = io.StringIO()
    listener = guide.logging_behind_a_queue(logging.StreamHandler(written))
    try:
        tokens = TokenService.from_url("memory://", issuer="https://myapp.example", hooks=[guide.LoggingHook()])
        with pytest.raises(InvalidTokenError):
            await tokens.verify("nonsense", ACCESS)
        await tokens.aclose()
    finally:
        await to_thread.run_sync(listener.stop)
    (shown,) = PAGE.blocks("json")
    assert written.getvalue() == shown


def test_every_logger_is_in_the_table() -> None:
    listed = {row[0].strip("`") for row in PAGE.rows("Logs") if row[0].startswith("`")}
    found: set[str] = set()
    for path in (ROOT / "src" / "mintkey").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="getLogger"), args=[ast.Constant(value=str(name))]):
                    found.add(name)
                case _:
                    pass
    assert found == listed


# Metrics, alerts


def test_one_page_shows_all_workers(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(code: str) -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout

    for _ in range(2):
        run(WORKER)
    (block,) = [block for block in PAGE.blocks() if "MultiProcessCollector" in block]
    scraped = run(f"from prometheus_client import *\n{block}\nprint(of_all_workers().decode())")
    assert 'mintkey_tokens_minted_total{purpose="access"} 2.0' in scraped


def test_the_rules_are_those_of_the_file() -> None:
    files = ROOT / "docs" / "operations"
    (name,) = SCRAPING["rule_files"]
    (group,) = yaml.safe_load((files / name).read_text(encoding="utf-8"))["groups"]
    rows = [row for row in PAGE.rows("Dashboard and alerts") if row[0].startswith("`")]
    assert {row[0].strip("`"): row[1] for row in rows} == {
        rule["alert"]: rule["labels"]["severity"] for rule in group["rules"]
    }


# A hook of your own


def test_the_pager_is_told_of_what_is_urgent_and_of_nothing_else(guide: SimpleNamespace) -> None:
    urgent: asyncio.Queue[str] = asyncio.Queue()
    hooks = [guide.pager(urgent)]
    for event in (
        Spent(purpose="login", key_id="k1"),
        ReuseDetected(purpose="refresh"),
        KeyRevoked(ring="default", key_id="k1", is_own=False),
        KeyRevoked(ring="default", key_id="k1", is_own=True),
    ):
        emit(hooks, event)
    told = [urgent.get_nowait() for _ in range(urgent.qsize())]
    assert told == ["a token of refresh is used by two", "key k1 of ring default was revoked here"]


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
    assert set(re.findall(r"^```(\w+)$", PAGE.text, re.MULTILINE)) == {"python", "yaml", "json"}
    assert json.loads(PAGE.blocks("json")[0])["level"] == "INFO"
