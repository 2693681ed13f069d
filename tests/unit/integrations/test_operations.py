"""The dashboard, the alert rules and the page about them name what there is, and nothing else."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types
from prometheus_client import CollectorRegistry, Counter, Gauge

from mintkey import Reason, TokenService, TokenVerifier
from mintkey.integrations import spans
from mintkey.integrations.logging import LoggingHook
from mintkey.integrations.prometheus import PrometheusHook
from mintkey.integrations.vocabulary import CHECK_FIGURE, CHECK_OK, OUTAGES, WORDS
from mintkey.refresh import RefreshFlow
from tests.docs.page import Page

FILES = Path(__file__).parents[3] / "docs" / "operations"
DASHBOARD: dict[str, Any] = json.loads((FILES / "mintkey-dashboard.json").read_text(encoding="utf-8"))
ALERTS: dict[str, Any] = yaml.safe_load((FILES / "mintkey-alerts.yml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]
PAGE = Page("metrics")

OF_PROMETHEUS = {"job", "instance"}
"""Labels that whoever scrapes adds."""


def metrics() -> dict[str, set[str]]:
    """What PrometheusHook really registers, and the labels of each."""
    registry = CollectorRegistry()
    PrometheusHook(registry=registry)
    found: dict[str, set[str]] = {}
    for collector in set(registry._collector_to_names):
        assert isinstance(collector, Counter | Gauge)
        suffix = "_total" if isinstance(collector, Counter) else ""
        found[collector._name + suffix] = set(collector._labelnames)
    return found


METRICS = metrics()


def targets() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for note in DASHBOARD["annotations"]["list"]:
        yield note["name"], note["expr"]


EXPRESSIONS = [*targets(), *((rule["alert"], rule["expr"]) for rule in RULES)]


@pytest.fixture(params=[expression for _, expression in EXPRESSIONS], ids=[name for name, _ in EXPRESSIONS])
def expression(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def selectors(expression: str) -> list[tuple[str, str]]:
    """Each metric of an expression, with what stands between its braces."""
    return re.findall(r"\b(mintkey_\w+)(?:\{([^}]*)\})?", expression)


def test_every_metric_exists_with_these_labels(expression: str) -> None:
    assert selectors(expression)
    grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")}
    for metric, matchers in selectors(expression):
        assert metric in METRICS
        chosen = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers))
        assert chosen | grouped <= METRICS[metric] | OF_PROMETHEUS


def test_every_reason_exists(expression: str) -> None:
    for words in re.findall(r'reason(?:=~|!~|=)"([^"]*)"', expression):
        assert set(words.split("|")) <= {str(reason) for reason in Reason}


def test_outages_are_told_from_bad_tokens_by_the_same_reasons_everywhere() -> None:
    everything = {str(reason) for reason in OUTAGES}
    lists = [set(words.split("|")) for _, e in EXPRESSIONS for words in re.findall(r'reason(?:=~|!~)"([^"]*)"', e)]
    with_outages = [words for words in lists if words & everything]
    assert len(with_outages) == 3
    assert all(words - {"token_reserved"} == everything for words in with_outages)


async def test_every_check_exists(mintkey_tokens: TokenService) -> None:
    checks = set((await mintkey_tokens.health()).checks)
    for _, expression in EXPRESSIONS:
        for words in re.findall(r'check(?:=~|!=|=)"([^"]*)"', expression):
            assert set(words.split("|")) <= checks


def test_every_metric_is_shown() -> None:
    shown = {metric for _, expression in targets() for metric, _ in selectors(expression)}
    assert shown == set(METRICS)


def test_panels_neither_overlap_nor_leave_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert x + w <= 24
        assert not taken & cells
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_query_asks_the_source_that_was_chosen() -> None:
    sources = re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD["panels"]))
    assert set(sources) == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "job"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_urgent_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description"}
    kept = {label for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"]) for label in group.split(", ")}
    shown = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    assert shown <= kept


def test_the_page_lists_every_event() -> None:
    listed = {
        row[0].strip("`"): (row[1].strip("`"), row[2], re.findall(r"`(\w+)`", row[3]))
        for row in PAGE.rows("Events")
        if row[0].startswith("`")
    }
    assert {name: (word, fields) for name, (word, _, fields) in listed.items()} == {
        kind.__name__: (words.name, [*words.labels, *words.details]) for kind, words in WORDS.items()
    }
    levels = {kind.__name__: level for kind, level in LoggingHook()._levels.items()}
    names = {"debug": 10, "info": 20, "warning": 30}
    assert {name: names[level.partition(";")[0]] for name, (_, level, _) in listed.items()} == levels


def test_the_page_lists_every_metric() -> None:
    rows = [row for row in PAGE.rows("Metrics") if row[0].startswith("`")]
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows}
    assert listed == METRICS
    counters = {f"mintkey.{words.counter}" for words in WORDS.values()}
    assert {row[1].strip("`") for row in rows} == counters | {f"mintkey.{CHECK_OK}", f"mintkey.{CHECK_FIGURE}"}


def test_the_page_lists_every_span_and_every_attribute() -> None:
    source = inspect.getsource(spans)
    rows = PAGE.rows("Spans")
    listed = {row[0]: re.findall(r"`mintkey\.(\w+)`", row[1]) for row in rows}
    assert listed["`TokenService`, `TokenVerifier`"] == list(spans.CALLS[TokenVerifier])
    assert listed["`RefreshFlow`"] == list(spans.CALLS[RefreshFlow])
    ends = {f"mintkey.{name}" for name in listed["the end of a `redeem`"]}
    attributes = {row[0].strip("`") for row in rows if "." in row[0]}
    # What the module names beside the spans that are named after their methods.
    assert set(re.findall(r'"((?:mintkey|error)\.\w+)"', source)) == ends | attributes | {"mintkey.redeem"}


async def test_the_code_of_the_page_runs() -> None:
    names = PAGE.names()
    assert await names["ready"]()
    assert names["registry"].get_sample_value("mintkey_check_ok", {"check": "keys"}) == 1
