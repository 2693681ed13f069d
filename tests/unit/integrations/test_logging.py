"""Events as log records: levels, messages, fields, and nothing that must not be there."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from mintkey import ConfigurationError, InvalidTokenError, Purpose, Reason, TokenService
from mintkey.events import Event, Minted, Rejected, Verified
from mintkey.integrations.logging import LoggingHook
from mintkey.integrations.vocabulary import OUTAGES
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from tests.support.events import EVENTS

LINK = Purpose("link", lifetime=timedelta(minutes=10), single_use=True)

SAID = {
    "Minted": (logging.DEBUG, "minted purpose=link key_id=k1 count=3"),
    "Verified": (logging.DEBUG, "verified purpose=link key_id=k1"),
    "Spent": (logging.DEBUG, "spent purpose=link key_id=k1"),
    "Rejected": (logging.INFO, "rejected purpose=link reason=replayed"),
    "Revoked": (logging.INFO, "revoked purpose=access what=subject"),
    "ReuseDetected": (logging.WARNING, "reuse_detected purpose=refresh"),
    "BackendDegraded": (logging.WARNING, "backend_degraded purpose=link reason=replay_unavailable"),
    "Rotated": (logging.INFO, "rotated ring=default is_own=true key_id=k2 previous_key_id=k1"),
    "KeyRevoked": (logging.WARNING, "key_revoked ring=default is_own=false key_id=k1"),
}


class Records(logging.Handler):
    """Keeps what a logger was given."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSomebodyElse(Event):
    secret: str = "eyJ"


@pytest.fixture
def logger() -> logging.Logger:
    return logging.Logger("audit", level=logging.DEBUG)  # noqa: LOG001 - the test's own, gone with it


@pytest.fixture
def records(logger: logging.Logger) -> Iterator[list[logging.LogRecord]]:
    handler = Records()
    logger.addHandler(handler)
    yield handler.kept
    logger.removeHandler(handler)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_one_record(event: Event, logger: logging.Logger, records: list[logging.LogRecord]) -> None:
    LoggingHook(logger)(event)
    (record,) = records
    assert (record.levelno, record.getMessage()) == SAID[type(event).__name__]


def test_programs_read_fields(logger: logging.Logger, records: list[logging.LogRecord]) -> None:
    LoggingHook(logger)(EVENTS[0])
    fields = {name: value for name, value in vars(records[0]).items() if name.startswith("mintkey_")}
    assert fields == {"mintkey_event": "minted", "mintkey_purpose": "link", "mintkey_key_id": "k1", "mintkey_count": 3}


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_an_outage_is_an_error_and_a_bad_token_is_none(
    reason: Reason, logger: logging.Logger, records: list[logging.LogRecord]
) -> None:
    LoggingHook(logger)(Rejected(purpose="link", reason=reason))
    assert records[0].levelno == (logging.ERROR if reason in OUTAGES else logging.INFO)


def test_levels_are_for_the_caller_to_choose(logger: logging.Logger, records: list[logging.LogRecord]) -> None:
    hook = LoggingHook(logger, levels={Minted: logging.INFO, Rejected: logging.CRITICAL})
    hook(Minted(purpose="link", key_id="k1"))
    hook(Verified(purpose="link", key_id="k1"))
    hook(Rejected(purpose="link", reason=Reason.EXPIRED))
    hook(Rejected(purpose="link", reason=Reason.KEYS_UNAVAILABLE))
    assert [r.levelno for r in records] == [logging.INFO, logging.DEBUG, logging.CRITICAL, logging.CRITICAL]


def test_what_is_off_is_not_written(logger: logging.Logger, records: list[logging.LogRecord]) -> None:
    logger.setLevel(logging.INFO)
    LoggingHook(logger)(Minted(purpose="link", key_id="k1"))
    assert records == []


def test_an_event_of_somebody_else_is_not_told(logger: logging.Logger, records: list[logging.LogRecord]) -> None:
    LoggingHook(logger)(OfSomebodyElse(purpose="link"))
    assert records == []
    with pytest.raises(ConfigurationError, match="OfSomebodyElse"):
        LoggingHook(logger, levels={OfSomebodyElse: logging.INFO})


async def test_by_default_a_service_logs_under_mintkey_and_no_secret(mintkey_clock, caplog) -> None:
    tokens = TokenService(
        issuer="i",
        keys=MemoryKeyProvider(clock=mintkey_clock),
        replay=MemoryReplayStore(clock=mintkey_clock),
        clock=mintkey_clock,
        hooks=[LoggingHook()],
    )
    with caplog.at_level(logging.DEBUG, logger="mintkey.events"):
        token = await tokens.mint(LINK, subject="alice", claims={"email": "alice@example.com"})
        await tokens.verify(token, LINK)
        with pytest.raises(InvalidTokenError):
            await tokens.verify(token, LINK)
    told = [record for record in caplog.records if record.name == "mintkey.events"]
    assert [vars(record)["mintkey_event"] for record in told] == ["minted", "verified", "spent", "rejected"]
    everything = repr([vars(record) for record in told])
    assert not any(secret in everything for secret in ("alice", token.id, str(token), "eyJ"))
