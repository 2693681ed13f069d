"""Names alias nothing and show nothing; lives are long enough and not endless."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mintkey.replay.marks import (
    LONGEST_LIFE,
    SKEW,
    MarkNamer,
    life,
    mark_name,
    memory_begins_after_loss,
    memory_begins_at_opening,
    microseconds,
    subject_name,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
PARTS = st.tuples(st.text(), st.text(), st.text())


@given(PARTS, PARTS)
def test_two_tokens_share_a_name_only_if_they_are_the_same(first: tuple[str, str, str], second: tuple[str, str, str]):
    assert (mark_name(*first) == mark_name(*second)) == (first == second)


@given(PARTS)
def test_a_namer_gives_the_same_names_again_and_again(parts: tuple[str, str, str]):
    issuer, purpose, token_id = parts
    names = MarkNamer(issuer, purpose)
    assert [names.name(token_id), names.name(token_id)] == [mark_name(*parts)] * 2


def test_names_never_change():
    # Marks outlive the process and its version: a name that changed would let spent tokens be used again.
    assert mark_name("https://issuer.example", "magic-login", "tokén") == "hdQl9CT7c8HbCOsGNpysiA"
    assert subject_name("https://issuer.example", "access", "20") == "haEm1geDa38qtg3RiHDIgA"


def test_moving_a_border_between_parts_makes_another_name():
    names = {mark_name("ab", "c", "d"), mark_name("a", "bc", "d"), mark_name("a", "b", "cd"), mark_name("abcd", "", "")}
    assert len(names) == 4


def test_a_name_is_short_and_of_harmless_characters():
    name = mark_name("https://issuer.example", "magic-login", "x" * 10_000)
    assert len(name) == 22
    assert name.replace("-", "").replace("_", "").isalnum()


def test_a_lone_surrogate_has_a_name_too():
    assert mark_name("\ud800", "p", "t") != mark_name("\ud801", "p", "t")


def test_subjects_and_tokens_never_share_a_name():
    assert subject_name("i", "p", "same") != mark_name("i", "p", "same")


@given(st.timedeltas(min_value=timedelta(days=-3650), max_value=timedelta(days=36500)))
def test_a_mark_outlives_its_token_by_the_skew_within_bounds(ahead: timedelta):
    seconds = life(NOW + ahead, NOW.timestamp())
    assert 0 < seconds <= LONGEST_LIFE.total_seconds()
    if timedelta(0) <= ahead <= LONGEST_LIFE - SKEW:
        assert abs(seconds - (ahead + SKEW).total_seconds()) < 0.001


@given(st.floats(min_value=0, max_value=4e9))
def test_memory_lost_while_running_begins_later_than_any_clock_of_the_fleet_says(now: float):
    opening, loss = memory_begins_at_opening(now), memory_begins_after_loss(now)
    assert opening <= now < opening + 1
    fastest_iat = int(now + SKEW.total_seconds())
    assert loss > fastest_iat


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(instant: datetime):
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(instant)) == instant
