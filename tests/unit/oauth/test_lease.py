"""For how long a token is used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.oauth.lease import Grant, lease


@pytest.mark.parametrize(
    ("lifetime", "margin", "ahead_at", "due_at"),
    [
        (3600, 60, 3510, 3540),  # half a margin ahead of the margin
        (300, 60, 216, 240),  # a tenth of the time before the margin
        (90, 60, 27, 30),
        (60, 60, 10.8, 12),  # hardly longer than the margin: a fifth of its life
        (30, 60, 5.4, 6),
        (3600, 0, 3600, 3600),  # no margin: to the end
    ],
)
def test_a_token_is_used_up_to_the_margin(lifetime, margin, ahead_at, due_at):
    made = lease(Grant("token", lifetime), since=1000, margin=margin)
    assert made.ahead_at == pytest.approx(1000 + ahead_at)
    assert made.due_at == pytest.approx(1000 + due_at)
    assert made.expires_at == 1000 + lifetime


@given(
    lifetime=st.floats(min_value=0.001, max_value=1e9),
    margin=st.floats(min_value=0, max_value=1e9),
    since=st.floats(min_value=0, max_value=1e9),
)
def test_it_is_always_used_for_a_while_and_renewed_in_order(lifetime, margin, since):
    made = lease(Grant("token", lifetime), since=since, margin=margin)
    assert since <= made.ahead_at <= made.due_at
    assert made.due_at <= made.expires_at or made.due_at == pytest.approx(made.expires_at)


def test_neither_shows_the_token():
    assert "secret" not in repr(Grant("secret", 60)) + repr(lease(Grant("secret", 60), since=0, margin=10))
