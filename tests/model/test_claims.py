"""Every state that two or three processes, a server and a bad network can come to keeps every promise of a claim."""

from functools import partial

import pytest

from mintkey.replay import RedisReplayStore
from tests.model import defects
from tests.model.claims import ClaimWorld
from tests.model.redis import Server
from tests.model.scenarios import SCENARIOS
from tests.model.search import explore


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda name: name.replace(" ", "-"))
def test_every_promise_is_kept(scenario: str) -> None:
    programs, bounds = SCENARIOS[scenario]
    found = explore(partial(ClaimWorld, programs, bounds))
    assert found.ends > 1
    # A bound that lets nothing happen would leave its promises untested.
    assert ("silence for" in found.moves) == bool(bounds.delays)
    assert ("loss of memory" in found.moves) == bool(bounds.losses)
    assert ("fail-over" in found.moves) == bool(bounds.fail_overs)
    assert ("lease ends" in found.moves) == bool(bounds.leases_end)


@pytest.mark.parametrize(
    ("scenario", "defect", "broken"),
    [
        ("three spend", defects.OverwritesOnClaim, "granted to"),
        ("two redeem", defects.CommitsOverAnything, "granted to"),
        ("one redeems in vain, two spend", defects.ReleasesAnything, "called unprovable|granted to"),
        ("one revokes, two spend", defects.RevokesOnlyWhatIsThere, "after it was revoked"),
        ("two spend over a bad network", defects.TrustsSetNX, "a first use was called spent"),
        ("one redeems in vain, one spends", defects.AsksOnce, "called unprovable, and nothing was forgotten"),
        ("memory is lost, two spend", defects.TrustsAnEmptyServer, "granted to"),
        ("memory is lost, two spend", defects.BelievesEveryMark, "a first use was called spent"),
        ("memory is lost, one redeems", defects.BelievesEveryMark, "a first use was called"),
        ("memory is lost, one asks again", defects.WritesForWhatIsOld, "a first use was called spent"),
        ("a replica takes over, two spend", defects.NeedsNoReplica, "granted to"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value).replace(" ", "-")),
)
def test_a_defect_is_found(scenario: str, defect: type[Server | RedisReplayStore], broken: str) -> None:
    programs, bounds = SCENARIOS[scenario]
    if issubclass(defect, Server):
        begin = partial(ClaimWorld, programs, bounds, server_type=defect)
    else:
        begin = partial(ClaimWorld, programs, bounds, store_type=defect)
    with pytest.raises(AssertionError, match=broken):
        explore(begin)
