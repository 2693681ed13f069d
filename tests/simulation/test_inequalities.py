"""The first inequality follows from what is checked at construction and from how the JWK Set's `max_age` is derived."""

from datetime import timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mintkey.errors import ConfigurationError
from mintkey.keys.jwks import cacheable_for
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import public_for
from mintkey.keys.settings import check_settings
from tests.simulation.inequalities import room_for_tokens

seconds = st.integers(0, 200).map(lambda n: timedelta(seconds=n / 2))
periods = st.none() | seconds.filter(bool)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(every=periods, spare=st.none() | seconds, refresh=seconds.filter(bool), skew=seconds)
def test_a_key_is_known_outside_before_it_signs(
    every: timedelta | None, spare: timedelta | None, refresh: timedelta, skew: timedelta
) -> None:
    ahead = timedelta(0) if spare is None else refresh + skew + spare
    policy = RotationPolicy(every=every, publish_ahead=ahead)
    try:
        check_settings(
            ring="default",
            algorithm="EdDSA",
            policy=policy,
            refresh_interval=refresh,
            outage_tolerance=refresh,
            max_clock_skew=skew,
        )
    except ConfigurationError:
        assume(False)
    max_age = cacheable_for(policy, delay=refresh + skew)
    if not ahead:
        assert not max_age
        return
    # Known gap of the check, see `Slack.short_period`: a period that is shorter than processes need to notice.
    assume(every is None or every > refresh + skew)
    assert max_age + refresh + skew <= public_for(policy)


@given(previous_ttl=seconds.filter(bool), staleness=seconds, skew=seconds)
def test_tokens_have_what_staleness_and_skew_leave(
    previous_ttl: timedelta, staleness: timedelta, skew: timedelta
) -> None:
    room = room_for_tokens(RotationPolicy(previous_ttl=previous_ttl), staleness=staleness, skew=skew)
    assert room + staleness + skew + skew == previous_ttl
