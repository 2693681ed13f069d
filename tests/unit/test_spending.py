"""What becomes of a reservation that somebody took away while its block was running."""

from datetime import UTC, datetime, timedelta

import pytest

from mintkey import MintedToken, Purpose, Reason, TokenReplayedError, TokenRevokedError, TokenService
from mintkey.events import Event, Rejected
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import ClaimStatus, MemoryReplayStore
from mintkey.testing import FakeClock

PAYMENT = Purpose("payment", lifetime=timedelta(minutes=10), single_use=True)
LEASE = timedelta(seconds=30)


class Forgetful(MemoryReplayStore):
    """A store whose memory is lost right after it refused to commit."""

    async def commit(self, key: str, /, *, owner: str, expires_at: datetime) -> bool:
        return False

    async def status(self, key: str, /, *, issued_at: datetime) -> ClaimStatus:
        return ClaimStatus.UNPROVABLE


class Shop:
    """A service, and what it told."""

    def __init__(self, store: type[MemoryReplayStore] = MemoryReplayStore) -> None:
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.told: list[Event] = []
        self.tokens = TokenService(
            issuer="https://issuer.test",
            keys=MemoryKeyProvider(clock=self.clock),
            replay=store(clock=self.clock),
            clock=self.clock,
            hooks=[self.told.append],
        )

    @property
    def refused(self) -> list[Reason]:
        return [event.reason for event in self.told if isinstance(event, Rejected)]

    async def redeem(self, token: MintedToken) -> None:
        async with self.tokens.redeem(token, PAYMENT, lease=LEASE):
            pass


@pytest.fixture
async def shop():
    shop = Shop()
    async with shop.tokens:
        yield shop


async def test_a_token_that_is_revoked_meanwhile_is_called_revoked(shop: Shop) -> None:
    """It was called a replay: an alarm, and nobody had used it."""
    token = await shop.tokens.mint(PAYMENT)
    with pytest.raises(TokenRevokedError):
        async with shop.tokens.redeem(token, PAYMENT, lease=LEASE):
            await shop.tokens.revoke(token, PAYMENT)
    assert shop.refused == [Reason.REVOKED]


async def test_a_token_that_somebody_else_spends_meanwhile_is_called_replayed(shop: Shop) -> None:
    token = await shop.tokens.mint(PAYMENT)
    with pytest.raises(TokenReplayedError):
        async with shop.tokens.redeem(token, PAYMENT, lease=LEASE):
            shop.clock.advance(2 * LEASE)
            await shop.redeem(token)
    assert shop.refused == [Reason.REPLAYED]


async def test_of_a_token_that_the_store_knows_nothing_about_no_replay_is_told() -> None:
    shop = Shop(Forgetful)
    async with shop.tokens:
        with pytest.raises(TokenReplayedError):
            await shop.redeem(await shop.tokens.mint(PAYMENT))
    assert shop.refused == [Reason.REPLAY_UNPROVABLE]
