"""Whatever an endpoint does and whoever asks: what a resolver of remote keys promises holds."""

import asyncio
from datetime import timedelta

import anyio
import anyio.lowlevel
from hypothesis import given
from hypothesis import strategies as st

from mintkey.errors import KeyNotFoundError, RemoteKeysError
from mintkey.jose.jwk import generate
from mintkey.keys.remote import JWKSKeyResolver
from mintkey.testing import FakeClock
from tests.support.remote import Endpoint, at_once, jwks

KEYS = [generate("EdDSA") for _ in range(3)]
COOLDOWN, LEAST, STALE = timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=30)
SEARCHES = "resolve 0", "resolve 1", "resolve 2", "resolve unknown"

STEPS = st.one_of(
    st.sampled_from(SEARCHES),
    st.sampled_from(["up", "away", "garbage"]),
    st.builds("serve {}".format, st.sampled_from(["0", "1", "01", "12", "012"])),
    st.builds("wait {}".format, st.sampled_from([1, 29, 30, 31, 60, 500, 1000, 3600])),
)


class Story:
    """One resolver, its endpoint, and what has to be true of them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.endpoint = Endpoint(jwks(KEYS[0]))
        self.keys = JWKSKeyResolver(
            "https://issuer.example/jwks",
            transport=self.endpoint,
            clock=self.clock,
            min_ttl=LEAST,
            default_ttl=2 * LEAST,
            max_stale=STALE,
            cooldown=COOLDOWN,
        )
        self.began_at = self.clock.monotonic()

    async def step(self, step: str) -> None:
        word, _, rest = step.partition(" ")
        match word:
            case "resolve":
                await self.resolve(rest)
            case "serve":
                self.endpoint.body, self.endpoint.status = jwks(*(KEYS[int(each)] for each in rest)), 200
                self.endpoint.headers = {"etag": f'"{rest}"', "cache-control": "max-age=120"}
            case "wait":
                self.clock.advance(timedelta(seconds=int(rest)))
            case "garbage":
                self.endpoint.body, self.endpoint.headers = b"<html>", {}
            case _:
                self.endpoint.is_away = word == "away"
        await self.settle()

    async def resolve(self, name: str) -> None:
        kid = KEYS[int(name)].kid if name.isdigit() else "unknown"
        before = self.keys.state
        if kid in before.keys:
            assert at_once(self.keys.resolve(kid)).kid == kid
            return
        try:
            found = await self.keys.resolve(kid)
        except KeyNotFoundError:
            assert self.keys.state.last_error is None
            assert kid not in self.keys.state.keys
        except RemoteKeysError:
            assert self.keys.state.last_error is not None
            assert kid not in self.keys.state.keys
        else:
            assert found.kid == kid

    async def settle(self) -> None:
        with anyio.fail_after(20):
            while self.keys._fetching.is_running:
                await anyio.lowlevel.checkpoint()

    def check(self) -> None:
        state = self.keys.state
        now = self.clock.now()
        if state.fresh_until is not None and now < state.fresh_until + STALE:
            assert state.keys, "good keys were taken away"
        else:
            assert not state.keys, "keys were used for longer than is safe"
        assert (state.word == "fresh") == (state.fresh_until is not None and now < state.fresh_until)
        assert (state.failures == 0) == (state.last_error is None)
        # One to begin with, five while there are no keys yet and pauses are short; then one for unknown kids in each
        # cool-down, and one for each lifetime.
        passed = self.clock.monotonic() - self.began_at
        most = 6 + passed / COOLDOWN.total_seconds() + passed / (0.8 * LEAST.total_seconds())
        assert self.endpoint.count <= most + 6 * (passed // STALE.total_seconds())


@given(st.lists(STEPS, max_size=40))
def test_any_story(steps: list[str]):
    async def tell() -> None:
        story = Story()
        for step in steps:
            await story.step(step)
            story.check()

    asyncio.run(tell())


@given(st.lists(st.sampled_from(SEARCHES), min_size=1, max_size=100), st.booleans())
def test_without_time_passing_there_are_two_fetches_at_most(steps: list[str], is_away: bool):
    async def tell() -> None:
        story = Story()
        story.endpoint.is_away = is_away
        await asyncio.gather(*map(story.step, steps))
        assert story.endpoint.count <= (1 if is_away else 2)

    asyncio.run(tell())
