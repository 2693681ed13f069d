"""What a bus tells about itself: closed words, to the log and to everybody who wants to know."""

import logging

import pytest

from mintkey.bus.notices import _SENTENCES, BusNotice, Teller, Trouble


def test_every_trouble_has_a_sentence_with_a_count() -> None:
    assert set(_SENTENCES) == set(Trouble)
    assert all((sentence % 3).count("3") == 1 for sentence in _SENTENCES.values())


def test_the_log_and_every_observer_are_told(caplog: pytest.LogCaptureFixture) -> None:
    one: list[BusNotice] = []
    two: list[BusNotice] = []
    Teller("events", [one.append, two.append]).tell(Trouble.TRIMMED, group="billing", count=3)
    assert one == two == [BusNotice(stream="events", group="billing", trouble=Trouble.TRIMMED, count=3)]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mintkey.bus", logging.WARNING)
    assert record.getMessage() == "stream 'events', group 'billing': 3 event(s) were cut off the stream unhandled"


def test_an_observer_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[BusNotice] = []

    def broken(_: BusNotice) -> None:
        raise RuntimeError("a secret")

    Teller("events", [broken, told.append]).tell(Trouble.FORGED)
    assert [notice.trouble for notice in told] == [Trouble.FORGED]
    assert caplog.records[-1].getMessage() == "an observer raised RuntimeError on forged"
    assert "secret" not in caplog.text


def test_the_log_alone_is_told_a_detail(caplog: pytest.LogCaptureFixture) -> None:
    Teller("events", ()).tell(Trouble.HANDLER_FAILED, group="billing", detail="ValueError")
    assert caplog.records[0].getMessage().endswith("1 handler(s) failed; the event comes again (ValueError)")
