"""The ring as a table and as bars over time."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from mintkey.cli.render import Glyphs
from mintkey.cli.ring_view import bar, show_table, show_time_line, state_at
from mintkey.keys import KeyState, KeyVersion

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def version(kid, state, *hours, mints=0):
    """A version with its times in hours from noon: created, activates, retires, verifies until."""
    at = [*(NOON + each * HOUR for each in hours), None, None, None]
    return KeyVersion(
        kid=kid,
        algorithm="EdDSA",
        state=state,
        created_at=at[0],
        activates_at=at[1],
        retires_at=at[2],
        verify_until=at[3],
        mints=mints,
        public_jwk=None,
    )


RING = [
    version("pending-key", KeyState.PENDING, 0),
    version("active-key", KeyState.ACTIVE, -4, 0, mints=1_234),
    version("retiring-key", KeyState.RETIRING, -8, -4, 0, 6),
    version("revoked-key", KeyState.REVOKED, -8, -8, -4, 2),
]


def drawn(show, *arguments, width=80, **options):
    file = io.StringIO()
    show(Console(file=file, width=width), *arguments, **options)
    return file.getvalue().splitlines()


def test_the_table_has_whole_kids_newest_last():
    kid = "x" * 43

    lines = drawn(show_table, [version(kid, KeyState.ACTIVE, 0, 0, mints=1_234_567), RING[2]])

    assert [line.split() for line in lines] == [
        ["KID", "ALG", "STATE", "MINTS"],
        ["retiring-key", "EdDSA", "retiring", "0"],
        [kid, "EdDSA", "active", "1,234,567"],
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("hours", "state"),
    [
        (-9, None),
        (-8, KeyState.PENDING),
        (-4, KeyState.ACTIVE),
        (0, KeyState.RETIRING),
        (5.9, KeyState.RETIRING),
        (6, None),
    ],
)
def test_a_version_lives_from_pending_to_retired(hours, state):
    assert state_at(RING[2], NOON + hours * HOUR) is state


def test_what_is_not_known_yet_goes_on_as_it_is():
    later = NOON + 1000 * HOUR

    assert state_at(RING[0], later) is KeyState.PENDING
    assert state_at(RING[1], later) is KeyState.ACTIVE
    assert state_at(version("k", KeyState.RETIRING, 0, 1, 2), later) is KeyState.RETIRING


def test_a_revoked_version_verifies_nothing_after_it_signed():
    assert state_at(RING[3], NOON - 5 * HOUR) is KeyState.ACTIVE
    assert state_at(RING[3], NOON - 4 * HOUR) is None


def test_a_bar_has_a_sign_for_each_instant():
    cells = [NOON + hours * HOUR for hours in (-9, -6, -2, 2, 7)]

    line = bar(RING[2], cells, Glyphs(), now=NOON)

    assert line.plain == " ░█▒ "
    assert [span.style for span in line.spans if "dim" in str(span.style)] == ["yellow dim"]


def test_the_time_line_is_a_staircase_with_a_mark_for_now():
    mark, *bars, axis, legend = drawn(show_time_line, RING, now=NOON)

    after_now = mark.index("▼ now") + 1
    assert [line[:8] for line in bars] == ["revoked-", "retiring", "active-k", "pending-"]
    assert [line[after_now] for line in bars] == [" ", "▒", "█", "░"]
    assert bars[1].endswith("  retiring, 6 h left")
    assert bars[3].endswith("  pending")
    assert "2026-01-01 04:00" in axis
    assert axis.endswith("2026-01-01 19:24 UTC")
    assert legend.split() == ["░", "pending", "█", "active", "▒", "retiring"]
    assert max(map(len, [mark, *bars, axis, legend])) <= 80


def test_a_ring_that_was_just_made_has_room_to_be_seen():
    mark, *bars, _, _ = drawn(show_time_line, [version("a", KeyState.ACTIVE, 0, 0)], now=NOON)

    assert mark.index("▼") == 10
    assert bars[0].count("█") == 42


def test_a_version_whose_end_is_open_is_not_counted_down():
    _, line, _, _ = drawn(show_time_line, [version("a", KeyState.RETIRING, -2, -2, -1)], now=NOON)

    assert line.endswith("  retiring")


def test_a_very_narrow_terminal_is_no_reason_to_fail():
    assert drawn(show_time_line, RING, now=NOON, width=20)
