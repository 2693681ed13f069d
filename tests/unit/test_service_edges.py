"""The service to the byte and the mint: the longest token, as many mints as asked for, and upkeep that never ends."""

import asyncio
import inspect
import logging
from datetime import timedelta
from typing import Any

import pytest

from mintkey import ConfigurationError, MintRequest, Purpose, TokenService, VerificationCache
from mintkey.errors import KeyProviderError
from mintkey.events import Event, Minted
from mintkey.keys import FileKeyProvider, KeyState, MemoryKeyProvider, RotatingKeyProvider
from mintkey.keys.base import SigningGrant
from mintkey.testing import FakeClock

ACCESS = Purpose("access", lifetime=timedelta(minutes=10))


class Counted(MemoryKeyProvider):
    """Remembers how many mints were asked for, and gives at most some at a time."""

    most = 1000

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.wanted: list[int] = []

    async def acquire(self, want: int = 1, /, *, kid: str | None = None) -> SigningGrant:
        self.wanted.append(want)
        return await super().acquire(min(want, self.most), kid=kid)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_token_may_be_as_long_as_a_token_may_be(clock: FakeClock) -> None:
    keys = MemoryKeyProvider(clock=clock)
    length = len(await TokenService(issuer="i", keys=keys, clock=clock).mint(ACCESS, token_id="1"))
    exact = TokenService(issuer="i", keys=keys, clock=clock, max_token_bytes=length)
    token = await exact.mint(ACCESS, token_id="1")
    assert len(token) == length
    assert (await exact.verify(token, ACCESS)).id == "1"
    short = TokenService(issuer="i", keys=keys, clock=clock, max_token_bytes=length - 1)
    with pytest.raises(ConfigurationError, match=f"max_token_bytes is {length - 1}"):
        await short.mint(ACCESS, token_id="1")


async def test_no_more_mints_are_asked_for_than_are_left(clock: FakeClock) -> None:
    keys = Counted(clock)
    keys.most = 4
    events: list[Event] = []
    tokens = TokenService(issuer="i", keys=keys, clock=clock, hooks=[events.append])
    assert len(await tokens.mint_many(ACCESS, [MintRequest() for _ in range(10)])) == 10
    assert keys.wanted == [10, 6, 2]
    assert [event.count for event in events if isinstance(event, Minted)] == [4, 4, 2]


async def test_one_mint_is_asked_for_by_one_and_the_pinned_key_signs(clock: FakeClock) -> None:
    counted = Counted(clock)
    await TokenService(issuer="i", keys=counted, clock=clock).mint(ACCESS)
    assert counted.wanted == [1]
    keys = MemoryKeyProvider(clock=clock)
    tokens = TokenService(issuer="i", keys=keys, clock=clock)
    for _ in range(50):  # until there is one at hand
        await tokens.mint(ACCESS)
    versions = {version.state: version.kid for version in await keys.versions()}
    for state in (KeyState.PENDING, KeyState.ACTIVE):
        assert (await tokens.mint(ACCESS, kid=versions[state])).key_id == versions[state]


async def test_a_service_of_a_place_has_the_hooks_the_clock_and_the_cache_that_it_was_given(clock: FakeClock) -> None:
    events: list[Event] = []
    cache = VerificationCache()
    tokens = TokenService.from_url("memory://", issuer="i", clock=clock, hooks=[events.append], cache=cache)
    assert tokens._cache is cache
    async with tokens:
        token = await tokens.mint(ACCESS)
        assert {version.created_at for version in await tokens.workings.keys.versions()} == {clock.now()}
    assert token.expires_at == clock.now() + ACCESS.lifetime
    assert [type(event) for event in events] == [Minted]


@pytest.mark.parametrize(
    "setting", ["ring", "algorithm", "sealer", "refresh_interval", "outage_tolerance", "max_clock_skew"]
)
@pytest.mark.parametrize("provider", [RotatingKeyProvider, FileKeyProvider])
def test_a_place_has_the_settings_of_the_provider_that_it_builds(provider: type[object], setting: str) -> None:
    """Two processes, one of which names its place by a URL and the other builds the parts, are one fleet."""
    theirs = inspect.signature(provider).parameters[setting].default
    ours = inspect.signature(TokenService.from_url).parameters[setting].default
    assert ours == theirs


class Upkept(MemoryKeyProvider):
    """Upkeep that says, or raises, what it is told to."""

    def __init__(self, clock: FakeClock, answers: list[timedelta | Exception]) -> None:
        super().__init__(clock=clock)
        self.answers = answers
        self.done = asyncio.Event()

    async def maintain(self) -> timedelta:
        if not self.answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class TestUpkeep:
    @pytest.fixture
    def pauses(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        pauses: list[float] = []

        async def note(seconds: float) -> None:
            pauses.append(seconds)

        monkeypatch.setattr("mintkey.service.anyio.sleep", note)
        return pauses

    async def test_goes_on_after_an_error_and_comes_back_when_it_is_told_to(
        self, clock: FakeClock, pauses: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        away = KeyProviderError("away")
        keys = Upkept(clock, [timedelta(seconds=7), away, timedelta(0), timedelta(seconds=0.2)])
        with caplog.at_level(logging.WARNING, "mintkey"):
            async with TokenService(issuer="i", keys=keys, clock=clock):
                await asyncio.wait_for(keys.done.wait(), 30)
        assert pauses == [7.0, 1.0, 0.05, 0.2]
        said = [(record.name, record.getMessage()) for record in caplog.records]
        assert said == [("mintkey", "key maintenance failed: keys_unavailable")]

    async def test_ends_with_the_service(self, clock: FakeClock, pauses: list[float]) -> None:
        tokens = TokenService(issuer="i", keys=Upkept(clock, []), clock=clock)

        def at_work() -> list[asyncio.Task[Any]]:
            return [task for task in asyncio.all_tasks() if task.get_name() == "mintkey-maintain"]

        async with tokens:
            assert len(at_work()) == 1
        assert at_work() == []

    async def test_is_not_done_for_keys_that_need_none(self, clock: FakeClock) -> None:
        class Unkept(MemoryKeyProvider):
            maintain = None  # type: ignore[assignment]  # it cannot

        async with TokenService(issuer="i", keys=Unkept(clock=clock), clock=clock) as tokens:
            await tokens.mint(ACCESS)
