"""Events as bytes and back: nothing is lost on the way, and nothing gets in without the key."""

from dataclasses import dataclass

import pytest

from mintkey import events
from mintkey.bus import Trouble
from mintkey.bus.envelope import Envelopes, MisfitError
from mintkey.errors import ConfigurationError, Reason
from mintkey.events import BackendDegraded, Event, KeyRevoked, Minted, Rejected, ReuseDetected, Revoked, Rotated
from mintkey.keys import Plaintext, Sealer
from tests.support.buses import SEALER, STRANGER, Numbered

STREAM = b"mk{4}~events"
NOW = 1_800_000_000.25
EVENTS = [
    Minted(purpose="magic-login", key_id="k1", count=3),
    Revoked(purpose="access", what="subject"),
    ReuseDetected(purpose="refresh"),
    Rejected(purpose="access", reason=Reason.REPLAYED),
    BackendDegraded(purpose="access", reason=Reason.REPLAY_UNAVAILABLE),
    Rotated(ring="default", key_id="k2", previous_key_id="k1", is_own=True),
    KeyRevoked(ring="default", key_id="k1", is_own=False),
    Numbered(purpose="test", number=7),
]


@pytest.fixture
def envelopes() -> Envelopes:
    return Envelopes(SEALER, STREAM, [Numbered])


def fields_of(envelopes: Envelopes, event: Event) -> dict[bytes, bytes]:
    message, tag = envelopes.close(event, "an-id", NOW)
    return {b"m": message, b"s": tag}


def misfit(envelopes: Envelopes, fields: dict[bytes, bytes]) -> Trouble:
    with pytest.raises(MisfitError) as caught:
        envelopes.open(fields)
    return caught.value.why


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_comes_out_as_it_went_in(envelopes: Envelopes, event: Event) -> None:
    delivered = envelopes.open(fields_of(envelopes, event), deliveries=2)
    assert delivered.event == event
    assert (delivered.id, delivered.published_at.timestamp(), delivered.is_redelivered) == ("an-id", NOW, True)


def test_every_type_of_the_library_is_known() -> None:
    envelopes = Envelopes(SEALER, STREAM, ())
    own = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    assert envelopes._kinds == set(own) >= {type(event) for event in EVENTS[:-1]}


def test_a_type_may_be_named_twice() -> None:
    assert Envelopes(SEALER, STREAM, [Numbered, Numbered, Revoked])._kinds >= {Numbered, Revoked}


def test_whoever_has_another_key_or_none_is_a_forger(envelopes: Envelopes) -> None:
    fields = fields_of(Envelopes(STRANGER, STREAM, ()), EVENTS[0])
    assert misfit(envelopes, fields) is Trouble.FORGED
    assert misfit(envelopes, {b"m": fields[b"m"]}) is Trouble.FORGED
    assert misfit(envelopes, fields_of(Envelopes(Plaintext(), STREAM, ()), EVENTS[0])) is Trouble.FORGED
    assert misfit(envelopes, {}) is Trouble.FORGED


def test_an_event_is_good_in_its_own_stream_only(envelopes: Envelopes) -> None:
    assert misfit(Envelopes(SEALER, b"mk{4}~other", ()), fields_of(envelopes, EVENTS[0])) is Trouble.FORGED


def test_no_byte_of_an_event_can_be_changed(envelopes: Envelopes) -> None:
    fields = fields_of(envelopes, EVENTS[0])
    for index in range(len(fields[b"m"])):
        changed = bytearray(fields[b"m"])
        changed[index] ^= 1
        assert misfit(envelopes, {**fields, b"m": bytes(changed)}) is Trouble.FORGED


def test_an_endless_message_is_not_even_looked_at(envelopes: Envelopes) -> None:
    message = b'{"a":"' + b"a" * 70_000 + b'"}'
    assert misfit(envelopes, {b"m": message, b"s": SEALER.authenticate(message)}) is Trouble.FORGED


def test_keys_can_be_replaced_one_after_the_other(envelopes: Envelopes) -> None:
    both = Envelopes(Sealer([bytes(range(1, 33)), bytes(range(32))]), STREAM, [Numbered])
    assert both.open(fields_of(envelopes, EVENTS[-1])).event == EVENTS[-1]
    assert misfit(envelopes, fields_of(both, EVENTS[-1])) is Trouble.FORGED


def test_without_tags_everything_that_can_be_read_is_good() -> None:
    plain = Envelopes(Plaintext(), STREAM, ())
    message, tag = plain.close(EVENTS[0], "an-id", NOW)
    assert tag == b""
    assert plain.open({b"m": message}).event == EVENTS[0]


def test_a_type_that_is_not_known_here_is_not_unreadable() -> None:
    message, _ = Envelopes(Plaintext(), STREAM, [Numbered]).close(EVENTS[-1], "an-id", NOW)
    assert misfit(Envelopes(Plaintext(), STREAM, ()), {b"m": message}) is Trouble.UNKNOWN_TYPE


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"id":"a","type":"Spent","at":1}',
        b'{"id":"a","type":"Spent","at":"1","event":{"purpose":"p","key_id":"k"}}',
        b'{"id":"a","type":"Spent","at":1,"event":{"purpose":"p"}}',
        b'{"id":"a","type":"Spent","at":1,"event":{"purpose":"p","key_id":1}}',
        b'{"id":"a","type":"Spent","at":1e18,"event":{"purpose":"p","key_id":"k"}}',
        b'{"id":"a","type":"Spent","at":-1e18,"event":{"purpose":"p","key_id":"k"}}',
        b'{"id":"a","id":"b","type":"Spent","at":1,"event":{"purpose":"p","key_id":"k"}}',
        b'{"id":"a","type":"Rejected","at":1,"event":{"purpose":"p","reason":"no such reason"}}',
    ],
    ids=[f"case-{number}" for number in range(12)],
)
def test_what_cannot_be_read_is_told_and_nothing_else_happens(message: bytes) -> None:
    assert misfit(Envelopes(Plaintext(), STREAM, ()), {b"m": message}) is Trouble.UNREADABLE


def test_a_type_that_refuses_its_own_values_ends_nothing() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Choosy(Event):
        """Raises what nobody expects."""

        def __post_init__(self) -> None:
            raise KeyError(self.purpose)

    message = b'{"id":"a","type":"Choosy","at":1,"event":{"purpose":"p"}}'
    assert misfit(Envelopes(Plaintext(), STREAM, [Choosy]), {b"m": message}) is Trouble.UNREADABLE


def test_members_that_a_newer_publisher_added_are_passed_over() -> None:
    message = b'{"id":"a","type":"Spent","at":1,"event":{"purpose":"p","key_id":"k","more":1},"also":2}'
    delivered = Envelopes(Plaintext(), STREAM, ()).open({b"m": message, b"other": b""})
    assert delivered.event == events.Spent(purpose="p", key_id="k")


def test_only_events_of_types_that_were_named_are_closed(envelopes: Envelopes) -> None:
    with pytest.raises(ConfigurationError, match="Numbered is no type of this bus; name it in events="):
        Envelopes(SEALER, STREAM, ()).close(Numbered(purpose="test", number=1), "an-id", NOW)
    with pytest.raises(ConfigurationError, match="the Numbered holds what its type does not allow"):
        envelopes.close(Numbered(purpose="test", number="1"), "an-id", NOW)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ConfigurationError, match="the Revoked holds what its type does not allow"):
        envelopes.close(Revoked(purpose="\ud800", what="id"), "an-id", NOW)
    with pytest.raises(ConfigurationError, match="longer than 65536 bytes"):
        envelopes.close(Revoked(purpose="p" * 65_536, what="id"), "an-id", NOW)


def test_types_that_cannot_travel_are_refused_all_at_once() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Opaque(Event):
        """Cannot be read back."""

        what: bytes

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Revoked(Event):
        """A namesake."""

    with pytest.raises(ConfigurationError) as caught:
        Envelopes(SEALER, STREAM, [Opaque, Revoked, int, "Text"])  # type: ignore[list-item]  # the mistakes
    assert caught.value.details["problems"] == (
        "events: Opaque has a field that cannot be read back from JSON",
        "events: Revoked has the name of another type",
        "events: int must be a dataclass that derives from Event",
        "events: Text must be a dataclass that derives from Event",
    )
