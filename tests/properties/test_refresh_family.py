"""Whatever is presented and whenever: one line of tokens, windows of one length, and no way back from a revocation."""

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mintkey.refresh.family import Family, Standing, decode, encode

LEEWAY = 10.0
REMEMBERED = 16
MOMENTS = st.floats(0, 2e9, allow_nan=False)
STEPS = st.sampled_from([0.0, 0.25, 1.0, 2.5, 5.0, 9.75, 10.0, 10.25, 60.0])

families = st.builds(
    Family,
    st.integers(0, 10**9),
    st.text("AZaz09-_", min_size=22, max_size=22),
    issued_at=MOMENTS,
    ends_at=MOMENTS,
    earlier=st.lists(MOMENTS, max_size=15).map(tuple),
    revoked_by=st.just("") | st.text("AZaz09-_", min_size=22, max_size=22),
)


@given(families)
def test_what_is_written_is_read(family):
    assert decode(encode(family)) == family
    assert len(encode(family)) < 640


@given(st.binary(max_size=80))
def test_any_bytes_are_a_family_or_a_value_error(document):
    try:
        family = decode(document)
    except ValueError:
        return
    assert decode(encode(family)) == family


@given(families, families, st.integers(0, 10**9), MOMENTS, st.sampled_from([0.0, 10.0]))
@example(Family(1, "b", issued_at=1.0, ends_at=9.0), Family(0, "a", issued_at=0.0, ends_at=9.0), 0, 0.5, 0.0)
def test_only_the_newest_token_is_ever_exchanged(family, other, generation, now, grace):
    for token_id in (family.current, other.current):
        standing = family.standing(generation, token_id, now=now, grace=grace, leeway=LEEWAY)
        is_newest = (generation, token_id) == (family.generation, family.current)
        assert (standing is Standing.CURRENT) == (is_newest and now < family.ends_at and not family.revoked_by)
        assert not (standing is Standing.REPEATED and (grace == 0 or generation >= family.generation))


@dataclass
class Fleet:
    """Processes whose clocks differ, and what they gave out."""

    offsets: list[float]
    grace: float
    now: float = 1000.0
    family: Family = field(default_factory=lambda: Family(0, "t0", issued_at=1000.0, ends_at=1e6))
    given_out: dict[int, str] = field(default_factory=lambda: {0: "t0"})
    is_over: bool = False

    def present(self, generation: int, process: int) -> Standing:
        now = self.now + self.offsets[process % len(self.offsets)]
        token_id = self.given_out[generation]
        standing = self.family.standing(generation, token_id, now=now, grace=self.grace, leeway=LEEWAY)
        if standing is Standing.CURRENT:
            self.family = self.family.refreshed(f"t{generation + 1}", now=now, grace=self.grace)
            assert generation + 1 not in self.given_out
            self.given_out[generation + 1] = self.family.current
        elif standing is Standing.REUSED:
            self.family = self.family.revoked("somebody")
            self.is_over = True
        elif standing is Standing.REPEATED:
            assert self.given_out[self.family.generation] == self.family.current
        return standing


@given(
    st.lists(st.floats(-4, 4), min_size=1, max_size=3),
    st.lists(st.tuples(STEPS, st.integers(0, 3), st.integers(0, 2)), max_size=60),
    st.sampled_from([0.0, 10.0]),
)
def test_there_is_one_line_whatever_the_clocks_say(offsets, steps, grace):
    """A token counts back from the newest one."""
    fleet = Fleet(offsets, grace)
    for step, back, process in steps:
        fleet.now += step
        over_before = fleet.is_over
        standing = fleet.present(max(0, fleet.family.generation - back), process)
        assert (standing is Standing.REVOKED) == over_before
        assert sorted(fleet.given_out) == list(range(fleet.family.generation + 1))


class FamilyOfOneClock(RuleBasedStateMachine):
    """An oracle that remembers everything, where clocks agree."""

    @initialize(grace=st.sampled_from([0.0, 2.5, 10.0]), ends_in=st.sampled_from([30.0, 1e6]))
    def sign_in(self, grace: float, ends_in: float) -> None:
        self.grace, self.now = grace, 1000.0
        self.ends_at = self.now + ends_in
        self.family = Family(0, "t0", issued_at=self.now, ends_at=self.ends_at)
        self.replaced_at: list[float] = []
        self.is_revoked = False

    def expected(self, generation: int) -> Standing:
        newest = len(self.replaced_at)
        if self.is_revoked:
            return Standing.REVOKED
        if self.now >= self.ends_at:
            return Standing.ENDED
        if generation == newest:
            return Standing.CURRENT
        is_open = self.now - self.replaced_at[generation] < self.grace
        return Standing.REPEATED if is_open and newest - generation <= REMEMBERED else Standing.REUSED

    @rule(step=STEPS)
    def wait(self, step: float) -> None:
        self.now += step

    @rule(back=st.integers(0, 20))
    def present(self, back: int) -> None:
        generation = max(0, len(self.replaced_at) - back)
        family = decode(encode(self.family))
        standing = family.standing(generation, f"t{generation}", now=self.now, grace=self.grace, leeway=LEEWAY)
        assert standing is self.expected(generation)
        if standing is Standing.CURRENT:
            self.family = family.refreshed(f"t{generation + 1}", now=self.now, grace=self.grace)
            self.replaced_at.append(self.now)
        elif standing is Standing.REUSED:
            self.family = family.revoked("somebody")
            self.is_revoked = True

    @rule(times=st.integers(1, 20))
    def refresh_in_a_loop(self, times: int) -> None:
        for _ in range(times):
            self.present(0)

    @rule()
    def sign_out(self) -> None:
        self.family = self.family.revoked("the client")
        self.is_revoked = True

    @invariant()
    def it_fits_into_some_hundred_bytes(self) -> None:
        assert len(encode(self.family)) < 512

    @invariant()
    def the_newest_token_is_known(self) -> None:
        assert (self.family.generation, self.family.current) == (len(self.replaced_at), f"t{len(self.replaced_at)}")


TestFamilyOfOneClock = FamilyOfOneClock.TestCase
