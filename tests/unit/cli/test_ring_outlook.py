"""What is to come for a ring: when it rotates next, and how that is told and drawn."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mintkey.cli.moments import now
from mintkey.cli.ring_outlook import Outlook, look_ahead, next_rotation, with_rotation
from mintkey.keys import KeyState, KeyVersion, MemoryKeyProvider, RotationPolicy
from mintkey.testing import FakeClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def outlook(policy, clock=None):
    async def look():
        async with MemoryKeyProvider(policy=policy, clock=clock or FakeClock(NOON)) as keys:
            return await look_ahead(keys)

    return look()


def version(kid, state, **times):
    times = {"activates_at": None, "retires_at": None, "verify_until": None, **times}
    return KeyVersion(
        kid=kid, algorithm="EdDSA", state=state, created_at=NOON - DAY, mints=30, public_jwk=None, **times
    )


SIGNER = version("signer", KeyState.ACTIVE, activates_at=NOON - DAY)
RING = [
    version("after-next", KeyState.PENDING),
    version("next", KeyState.PENDING),
    SIGNER,
    version("old", KeyState.RETIRING, activates_at=NOON - 2 * DAY, retires_at=NOON - DAY, verify_until=NOON + DAY),
]


async def test_a_ring_rotates_when_its_period_is_over():
    ahead = await outlook(RotationPolicy(every=timedelta(days=7)))

    assert ahead.rotates_at == NOON + timedelta(days=7)
    assert [version.state for version in ahead.versions] == [KeyState.PENDING, KeyState.ACTIVE]


@pytest.mark.parametrize("every", [None, timedelta(days=3_000_000)], ids=["never", "not in this age"])
async def test_a_ring_that_never_rotates_by_time_has_no_date(every):
    ahead = await outlook(RotationPolicy(every=every))

    assert ahead.rotates_at is None
    assert with_rotation(ahead, previous_ttl=DAY, now=NOON) == ahead.versions


def test_the_rotation_is_drawn_as_it_will_be():
    ahead = Outlook(RING, NOON + 6 * DAY)

    after_next, successor, signer, old = with_rotation(ahead, previous_ttl=DAY, now=NOON)

    assert successor == replace(RING[1], activates_at=NOON + 6 * DAY)
    assert signer == replace(SIGNER, retires_at=NOON + 6 * DAY, verify_until=NOON + 7 * DAY)
    assert [after_next, old] == [RING[0], RING[3]]


def test_who_signs_though_a_rotation_is_overdue_is_drawn_as_signing():
    _, successor, signer, _ = with_rotation(Outlook(RING, NOON - DAY), previous_ttl=DAY, now=NOON)

    assert signer.retires_at == successor.activates_at
    assert NOON < signer.retires_at < NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("ahead", "max_mints", "said"),
    [
        (timedelta(days=2, minutes=5), None, "UTC (in 2 d)"),
        (timedelta(days=2, minutes=5), 1030, "UTC (in 2 d), or after 1,000 more mints"),
        (None, 1030, "after 1,000 more mints"),
        (None, 20, "after 0 more mints"),
        (None, None, "by hand alone"),
        (-2 * DAY, 1030, "(2 d ago): the next mint rotates"),
    ],
)
def test_people_are_told_what_comes_first(ahead, max_mints, said):
    at = now()
    seen = Outlook(RING, None if ahead is None else at + ahead)

    told = next_rotation(seen, RotationPolicy(max_mints=max_mints), now=at)

    assert told.endswith(said)
    assert told.startswith("due since 2") == (ahead == -2 * DAY)
