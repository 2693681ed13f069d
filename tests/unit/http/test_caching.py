"""For how long an answer is fresh, and when to come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.http.caching import freshness_of, retry_after_of

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DATE, LATER = "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:05:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": ""}, None),
        ({"cache-control": "public"}, None),
        ({"cache-control": "max-age=300"}, 300),
        ({"cache-control": "public, MAX-AGE=300, must-revalidate"}, 300),
        ({"cache-control": 'max-age="300"'}, 300),
        ({"cache-control": "s-maxage=60"}, None),
        ({"cache-control": "s-maxage=60, max-age=300"}, 300),
        ({"cache-control": "max-age=300", "age": "120"}, 180),
        ({"cache-control": "max-age=300", "age": "600"}, 0),
        ({"cache-control": "max-age=300", "age": "soon"}, 300),
        ({"cache-control": "max-age=300, max-age=60"}, 60),
        ({"cache-control": "max-age=300, no-cache"}, 0),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": 'no-cache="set-cookie", max-age=300'}, 0),
        ({"cache-control": "max-age"}, 0),
        ({"cache-control": "max-age=soon"}, 0),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "max-age=1.5"}, 0),
        ({"cache-control": "max-age=99999999999999999999"}, 2_147_483_648),
        ({"cache-control": 'private="x, max-age=1", max-age=300'}, 300),
        ({"expires": LATER, "date": DATE}, 300),
        ({"expires": LATER}, 300),
        ({"expires": LATER, "date": "yesterday"}, 300),
        ({"expires": LATER, "date": DATE, "age": "60"}, 240),
        ({"expires": DATE, "date": LATER}, 0),
        ({"expires": "0"}, 0),
        ({"expires": LATER, "cache-control": "max-age=60"}, 60),
        ({"expires": LATER, "cache-control": "no-store"}, 0),
        ({"expires": "Thursday, 01-Jan-26 00:05:00 GMT", "date": DATE}, 300),
        ({"expires": "Thu Jan  1 00:05:00 2026", "date": DATE}, 300),
    ],
)
def test_freshness(headers, seconds):
    assert freshness_of(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 2_147_483_648),
        (LATER, 300),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after_of({"retry-after": value}, now=NOW) == seconds


def test_who_does_not_ask_for_a_pause_gets_none():
    assert retry_after_of({}, now=NOW) is None


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_is_too_strange(control, expires, date, age):
    headers = {"cache-control": control, "expires": expires, "date": date, "age": age, "retry-after": expires}
    freshness, pause = freshness_of(headers, now=NOW), retry_after_of(headers, now=NOW)
    assert freshness is not None
    assert freshness >= 0
    assert pause is None or pause >= 0
