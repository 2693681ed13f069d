"""The words that sinks use: every event has some, and no label is open."""

import dataclasses

import pytest

import mintkey.events
from mintkey import BackendError, Reason
from mintkey.events import Event, KeyEvent
from mintkey.integrations.vocabulary import OUTAGES, WORDS, BoundedWords, amount_of
from tests.support.events import EVENTS

ABSTRACT = {Event, KeyEvent}
OPEN = {"key_id", "previous_key_id", "count"}


def event_types() -> set[type[Event]]:
    offered = [getattr(mintkey.events, name) for name in mintkey.events.__all__]
    return {kind for kind in offered if isinstance(kind, type) and issubclass(kind, Event)} - ABSTRACT


def test_every_event_that_there_is_has_words() -> None:
    assert set(WORDS) == event_types() == {type(event) for event in EVENTS}


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_every_field_of_an_event_is_told_and_kids_are_no_labels(kind: type[Event]) -> None:
    words = WORDS[kind]
    fields = {field.name for field in dataclasses.fields(kind)}
    if issubclass(kind, KeyEvent):
        fields.remove("purpose")
    assert {*words.labels, *words.details} == fields
    assert not OPEN & set(words.labels)


def test_no_two_events_share_a_word() -> None:
    assert (
        len({words.name for words in WORDS.values()}) == len({words.counter for words in WORDS.values()}) == len(WORDS)
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_told_is_plain(event: Event) -> None:
    told = WORDS[type(event)].told(event)
    assert {type(value) for value in told.values()} <= {str, int}
    assert WORDS[type(event)].labelled(event, BoundedWords()).items() <= {k: str(v) for k, v in told.items()}.items()


def test_a_batch_adds_all_its_tokens() -> None:
    assert [amount_of(event) for event in EVENTS] == [3, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_flood_of_words_ends_in_other() -> None:
    bounded = BoundedWords()
    told = [bounded.bound(f"purpose-{number}") for number in range(1000)]
    assert told[:300] == [f"purpose-{number}" for number in range(300)]
    assert set(told[300:]) == {"other"}
    assert bounded.bound("purpose-7") == "purpose-7"


def test_outages_are_what_backends_are_to_blame_for_when_a_token_is_verified() -> None:
    elsewhere = {"EventBusError", "TokenEndpointError"}
    kinds = [kind for kind in BackendError.__subclasses__() if kind.__name__ not in elsewhere]
    assert {reason for kind in kinds for reason in kind.reasons} - {Reason.TOKEN_RESERVED} == OUTAGES
