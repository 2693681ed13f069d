"""Events and health as metrics for Prometheus."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from mintkey import ConfigurationError, InvalidTokenError, Purpose, TokenService
from mintkey.events import Event, Minted
from mintkey.health import Check, Health
from mintkey.integrations.prometheus import PrometheusHook
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from tests.support.events import EVENTS

LINK = Purpose("link", lifetime=timedelta(minutes=10), single_use=True)

COUNTED = {
    ("mintkey_tokens_minted_total", "purpose=link"): 3,
    ("mintkey_tokens_verified_total", "purpose=link"): 1,
    ("mintkey_tokens_spent_total", "purpose=link"): 1,
    ("mintkey_tokens_rejected_total", "purpose=link reason=replayed"): 1,
    ("mintkey_revocations_total", "purpose=access what=subject"): 1,
    ("mintkey_reuse_detected_total", "purpose=refresh"): 1,
    ("mintkey_backend_degraded_total", "purpose=link reason=replay_unavailable"): 1,
    ("mintkey_keys_rotated_total", "is_own=true ring=default"): 1,
    ("mintkey_keys_revoked_total", "is_own=false ring=default"): 1,
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """What is scraped, without the times at which counters began."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, " ".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_every_event_is_counted(registry: CollectorRegistry) -> None:
    hook = PrometheusHook(registry=registry)
    for event in EVENTS:
        hook(event)
    assert samples(registry) == COUNTED


def test_an_event_of_somebody_else_is_not_told(registry: CollectorRegistry) -> None:
    PrometheusHook(registry=registry)(Event(purpose="link"))
    assert samples(registry) == {}


def test_ever_new_purposes_flood_nothing(registry: CollectorRegistry) -> None:
    hook = PrometheusHook(registry=registry)
    for number in range(1000):
        hook(Minted(purpose=f"p{number}", key_id="k1"))
    told = samples(registry)
    assert len(told) == 301
    assert told["mintkey_tokens_minted_total", "purpose=other"] == 700


def test_health_is_shown_as_it_was_told_last(registry: CollectorRegistry) -> None:
    hook = PrometheusHook(registry=registry)
    hook.record(
        Health({"keys": Check(ok=True, word="active", figure=2), "replay": Check(ok=True, word="ready", figure=1.5)})
    )
    hook.record(
        Health({"keys": Check(ok=True, word="active", figure=3), "replay": Check(ok=False, word="away", figure=0)})
    )
    assert samples(registry) == {
        ("mintkey_check_ok", "check=keys"): 1,
        ("mintkey_check_ok", "check=replay"): 0,
        ("mintkey_check_figure", "check=keys"): 3,
        ("mintkey_check_figure", "check=replay"): 0,
    }


def test_two_hooks_on_one_registry_are_a_mistake(registry: CollectorRegistry) -> None:
    PrometheusHook(registry=registry)
    with pytest.raises(ConfigurationError, match="share one hook"):
        PrometheusHook(registry=registry)


def test_by_default_metrics_are_registered_for_the_process() -> None:
    code = (
        "from prometheus_client import REGISTRY, generate_latest\n"
        "from mintkey.integrations.prometheus import PrometheusHook\n"
        "PrometheusHook()\n"
        "assert b'mintkey_tokens_minted_total' in generate_latest(REGISTRY)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not [name for name in REGISTRY._names_to_collectors if name.startswith("mintkey")]


def test_workers_that_share_a_port_are_added_up_and_the_one_that_is_worst_off_is_shown(
    registry: CollectorRegistry, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from mintkey.events import Minted\n"
        "from mintkey.health import Check, Health\n"
        "from mintkey.integrations.prometheus import PrometheusHook\n"
        "hook = PrometheusHook()\n"
        "hook(Minted(purpose='link', key_id='k1'))\n"
        "is_well = sys.argv[1] == 'well'\n"
        "hook.record(Health({'replay': Check(ok=is_well, word='word', figure=1 if is_well else 9)}))\n"
    )
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for condition in ("ill", "well"):
        subprocess.run([sys.executable, "-c", code, condition], check=True, env=env)
    MultiProcessCollector(registry, path=str(tmp_path))
    assert samples(registry) == {
        ("mintkey_tokens_minted_total", "purpose=link"): 2,
        ("mintkey_check_ok", "check=replay"): 0,
        ("mintkey_check_figure", "check=replay"): 9,
    }


async def test_a_service_is_counted_without_a_secret(registry: CollectorRegistry, mintkey_clock) -> None:
    metrics = PrometheusHook(registry=registry)
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[metrics],
    )
    token = await tokens.mint(LINK, subject="alice")
    await tokens.verify(token, LINK)
    with pytest.raises(InvalidTokenError):
        await tokens.verify(token, LINK)
    metrics.record(await tokens.health())
    told = samples(registry)
    assert told["mintkey_tokens_rejected_total", "purpose=link reason=replayed"] == 1
    assert told["mintkey_check_ok", "check=keys.rotation"] == 1
    page = generate_latest(registry).decode()
    assert not any(secret in page for secret in ("alice", token.id, token.key_id, str(token)))
