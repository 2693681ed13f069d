"""What is published, and for how long it may be cached."""

from datetime import timedelta

import pytest

from mintkey.keys.jwks import cacheable_for, render
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion
from mintkey.testing.clock import FakeClock
from tests.support.ring_faults import HOURLY, FaultyRingStore, Start
from tests.support.rings import version

MINUTE = timedelta(minutes=1)
RING = Ring(
    (
        version("retiring", activates_at=0, retires_at=10, verify_until=20),
        version("revoked", activates_at=10, retires_at=11, verify_until=21, revoked_at=11),
        version("active", activates_at=11),
        version("pending", created_at=11),
    )
)


def published(now: float) -> list[str]:
    return [key["kid"] for key in render(RING, now, max_age=MINUTE).as_dict()["keys"]]


def test_pending_active_and_retiring_versions_are_published_newest_first() -> None:
    assert published(19.9) == ["pending", "active", "retiring"]


def test_a_version_leaves_in_the_moment_in_which_it_no_longer_verifies() -> None:
    assert published(20) == ["pending", "active"]


def test_a_secret_is_never_published() -> None:
    secret = KeyMaterial(kid="secret", algorithm="HS256", public_jwk=None, handle="the secret")
    assert render(Ring((RingVersion(material=secret, created_at=0),)), 0, max_age=MINUTE).as_dict() == {"keys": []}


def test_the_etag_is_a_quoted_function_of_the_content() -> None:
    tags = [render(RING, now, max_age=MINUTE).etag for now in (12, 13, 20, 21)]
    assert tags[0] == tags[1] != tags[2] == tags[3]
    assert all(tag[0] == tag[-1] == '"' for tag in tags)


def test_the_age_is_handed_on() -> None:
    assert render(RING, 12, max_age=MINUTE).max_age == MINUTE


@pytest.mark.parametrize(
    ("every", "ahead", "cacheable"),
    [
        (timedelta(days=30), 15 * MINUTE, 14 * MINUTE),
        (None, 15 * MINUTE, 14 * MINUTE),
        (5 * MINUTE, 15 * MINUTE, 4 * MINUTE),
        (MINUTE / 2, 15 * MINUTE, timedelta(0)),
        (None, timedelta(0), timedelta(0)),
    ],
)
def test_a_set_is_cached_no_longer_than_a_successor_waits(
    every: timedelta | None, ahead: timedelta, cacheable: timedelta
) -> None:
    assert cacheable_for(RotationPolicy(every=every, publish_ahead=ahead), delay=MINUTE) == cacheable


async def test_a_set_that_could_not_be_looked_at_is_cached_for_less(
    store: FaultyRingStore, start: Start, clock: FakeClock
) -> None:
    """The next key may be public elsewhere already, so what is later than usual has to be made up for."""
    provider = start(store, HOURLY)
    assert (await provider.jwks()).max_age == 9 * MINUTE + timedelta(seconds=50)
    store.fail()
    clock.advance(timedelta(seconds=5))
    assert (await provider.jwks()).max_age == 9 * MINUTE + timedelta(seconds=50)
    clock.advance(2 * MINUTE)
    assert (await provider.jwks()).max_age == 7 * MINUTE + timedelta(seconds=50)
    clock.advance(7 * MINUTE + timedelta(seconds=52))
    assert (await provider.jwks()).max_age == timedelta(0)
