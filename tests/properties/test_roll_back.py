"""Whatever older state of a ring somebody brings back: who saw the newest one makes it that again, exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mintkey.keys.merge import merge
from mintkey.keys.ring import Intent, Ring
from tests.support.rings import POLICY, Keys

steps = st.lists(
    st.one_of(
        st.just(("rotate", 0)),
        st.tuples(st.just("revoke"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 400)),
        st.just(("prune", 0)),
    ),
    min_size=1,
    max_size=15,
)


def lived(history: list[tuple[str, int]]) -> tuple[list[Ring], float]:
    """Every state that a ring had, and the time at the end."""
    keys, now = Keys(), 0.0
    states = [keys.walk(Ring(), now)]
    for what, argument in history:
        ring = states[-1]
        if what == "wait":
            now += argument
            intent = Intent()
        elif what == "rotate":
            intent = Intent(relieve=frozenset({ring.signer.kid} if ring.signer else ()))
        elif what == "revoke":
            intent = Intent(revoke=ring.versions[argument % len(ring.versions)].kid, because="leaked")
        else:
            intent = Intent(prune=True)
        states.append(keys.walk(ring, now, intent))
    return states, now


@settings(max_examples=300, deadline=None)
@given(history=steps, back=st.integers(0, 15), later=st.sampled_from([0.0, 1.0]))
def test_an_older_state_becomes_the_newest_one_again(history, back: int, later: float) -> None:
    states, now = lived(history)
    newest = states[-1]
    healed = merge(states[max(0, len(states) - 1 - back)], newest, now + later, POLICY)
    for version in newest.versions:
        # Only what ran out in the meantime may be left out, and then its kid is known to be over.
        found = healed.find(version.kid)
        assert found == version or (found is None and version.is_past(now + later) and healed.tombstone(version.kid))
    assert {version.kid for version in healed.versions} <= {version.kid for version in newest.versions}
    stones = {stone.kid: stone.revoked for stone in healed.tombstones}
    for stone in newest.tombstones:
        assert stones[stone.kid] == stone.revoked
    assert healed.signer == newest.signer


@settings(max_examples=100, deadline=None)
@given(history=steps)
def test_joining_what_is_known_already_changes_nothing(history) -> None:
    states, now = lived(history)
    for older in states:
        assert merge(states[-1], older, now, POLICY) == states[-1]
