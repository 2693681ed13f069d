"""What holds where a caller says nothing: the longest token, the lease, and what entering opens."""

from datetime import timedelta

import pytest

from mintkey import Purpose, Reason, TokenService, TokenVerifier
from mintkey.errors import MalformedTokenError, ReplayStoreError, TokenReplayedError
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock

LINK = Purpose("link", lifetime=timedelta(minutes=10), single_use=True)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> TokenService:
    keys = MemoryKeyProvider(clock=clock)
    return TokenService(issuer="i", keys=keys, replay=MemoryReplayStore(clock=clock), clock=clock)


@pytest.mark.parametrize("kind", [TokenVerifier, TokenService])
@pytest.mark.parametrize(("length", "reason"), [(16_384, Reason.MALFORMED), (16_385, Reason.TOO_LARGE)])
async def test_a_token_has_16_kib_at_most(
    clock: FakeClock, kind: type[TokenVerifier], length: int, reason: Reason
) -> None:
    checker = kind(issuer="i", keys=MemoryKeyProvider(clock=clock), replay=MemoryReplayStore(clock=clock), clock=clock)
    with pytest.raises(MalformedTokenError) as caught:
        await checker.peek("x" * length, LINK)
    assert caught.value.reason is reason


async def test_a_reservation_lasts_for_half_a_minute(tokens: TokenService, clock: FakeClock) -> None:
    """The lease keeps others out until its last moment, and no longer."""
    token = await tokens.mint(LINK)
    async with tokens.redeem(token, LINK):
        clock.advance(timedelta(seconds=30) - INSTANT)
        with pytest.raises(ReplayStoreError) as caught:
            await tokens.verify(token, LINK)
    assert caught.value.reason is Reason.TOKEN_RESERVED
    token = await tokens.mint(LINK)
    with pytest.raises(TokenReplayedError):
        async with tokens.redeem(token, LINK):
            clock.advance(timedelta(seconds=30))
            used = await tokens.verify(token, LINK)
    assert used.id == token.id


async def test_entering_a_service_opens_its_store_before_anybody_asks(clock: FakeClock) -> None:
    """The store's memory begins then: what was minted later is provable, whoever verifies it."""
    opened: list[str] = []

    class Store(MemoryReplayStore):
        async def _open(self) -> None:
            opened.append("store")
            await super()._open()

    class Keys(MemoryKeyProvider):
        async def _open(self) -> None:
            opened.append("keys")
            await super()._open()

    for kind in (TokenService, TokenVerifier):
        opened.clear()
        async with kind(issuer="i", keys=Keys(clock=clock), replay=Store(clock=clock), clock=clock):
            assert opened == ["keys", "store"]
