"""The two inequalities that a fleet lives by, as arithmetic and as prose.

(1)  max_age + refresh_interval + max_clock_skew  <=  min(publish_ahead, every)

     Outside verifiers know a key before it signs. A process may serve a JWK Set that is `refresh_interval` old, a
     verifier may keep that for `max_age`, and whoever begins to sign with the new key may have a clock that is
     `max_clock_skew` ahead of the clock that published it. (A process that is cut off from the store has an older set
     still: what it serves has to be cacheable for as much less as its set is older.) `publish_ahead = 0` says that
     nobody outside caches the keys, and promises them nothing.

(2)  lifetime + leeway + staleness + 2 * max_clock_skew  <=  previous_ttl

     A token verifies to its end. Who signs may not know for `staleness` that his key was replaced: `refresh_interval`,
     or `outage_tolerance` while he is cut off. Nobody can tell him, and nobody can tell the others what he signed: the
     room has to be there before. Where it is not, a token ends early by what is missing, and nothing else happens. At
     construction a warning is logged if there is no room at all while cut off; nothing is refused, because the
     provider does not know the lifetimes, and in many fleets nobody rotates while somebody is cut off.
     The skew counts twice: his clock may be ahead of the clock that wrote `verify_until`, and the clock that drops the
     key from ring and JWK Set ahead of the clock that verifies. A change is dated when it is planned; what is older
     than a second is planned again, so that a process which was stopped in between dates nothing back.
     `max_token_age` checks lifetime + leeway <= previous_ttl only: a token that uses all of that, signed by a process
     that was stale, loses staleness and skew at its very end.
"""

from datetime import timedelta

from mintkey.keys.jwks import cacheable_for
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import public_for

__all__ = ["explain", "room_for_tokens"]


def room_for_tokens(policy: RotationPolicy, /, *, staleness: timedelta, skew: timedelta) -> timedelta:
    """The longest lifetime plus leeway that is honoured to its end, by (2)."""
    return policy.previous_ttl - staleness - 2 * skew


def explain(
    policy: RotationPolicy | None = None,
    /,
    *,
    refresh_interval: timedelta = timedelta(seconds=5),
    outage_tolerance: timedelta = timedelta(minutes=10),
    skew: timedelta = timedelta(seconds=5),
) -> str:
    """Both inequalities with the figures of these settings, by default those of a provider."""
    policy = RotationPolicy() if policy is None else policy
    max_age = cacheable_for(policy, delay=refresh_interval + skew)
    fresh = room_for_tokens(policy, staleness=refresh_interval, skew=skew)
    cut_off = room_for_tokens(policy, staleness=outage_tolerance, skew=skew)
    return "\n".join(
        (
            (__doc__ or "").partition("\n\n")[2].rstrip(),
            "",
            "With these settings:",
            f"  (1)  {max_age} + {refresh_interval} + {skew}  <=  {public_for(policy)}",
            f"  (2)  {fresh} + {refresh_interval} + 2 * {skew}  <=  {policy.previous_ttl}",
            f"       {cut_off} + {outage_tolerance} + 2 * {skew}  <=  {policy.previous_ttl}   while cut off",
        )
    )
