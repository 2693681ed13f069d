"""Single use through a network that loses, delays, cuts and doubles answers: the rightful use gets in, and once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from mintkey import MintedToken, Reason, ReplayStoreError, TokenReplayedError, TokenService
from mintkey.keys import FileKeyProvider
from mintkey.replay import RedisReplayStore
from mintkey.testing import Fate, Fault, FaultyProxy
from tests.support.servers import RedisServer
from tests.support.spender import ISSUER, LINK

PATIENCE = timedelta(seconds=3)
SHORT = timedelta(seconds=1)


@pytest.fixture
async def proxy(valkey: RedisServer) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy("127.0.0.1", valkey.port) as proxy:
        yield proxy


def service(keys: Path, proxy: FaultyProxy, *, timeout: timedelta = PATIENCE) -> TokenService:
    """A service whose store is behind the proxy and keeps trying for so long."""
    store = RedisReplayStore(f"redis://127.0.0.1:{proxy.port}", timeout=timeout)
    return TokenService(issuer=ISSUER, keys=FileKeyProvider(keys), replay=store)


def meet(proxy: FaultyProxy, *faults: Fault) -> None:
    """Have the next exchange meet a fault, on a new connection: those that are open take no script any more."""
    proxy.cut()
    proxy.script(*faults)


async def assert_spent(tokens: TokenService, token: MintedToken) -> None:
    with pytest.raises(TokenReplayedError) as refused:
        await tokens.verify(token, LINK)
    assert refused.value.reason is Reason.REPLAYED


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Fate.LOSE), id="reset-after-forwarding"),
        pytest.param(Fault(Fate.SWALLOW), id="lost"),
        pytest.param(Fault(Fate.DELAY, delay=1.8), id="too-late"),
        pytest.param(Fault(Fate.TRUNCATE), id="truncated"),
        pytest.param(Fault(Fate.DOUBLE), id="duplicated"),
        pytest.param(Fault(Fate.REFUSE), id="reset-before-forwarding"),
    ],
)
async def test_the_first_use_gets_in_by_another_attempt_and_the_second_is_a_replay(
    tmp_path: Path, proxy: FaultyProxy, fault: Fault
) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        meet(proxy, fault)
        connections = proxy.connections
        assert (await tokens.verify(token, LINK)).id == token.id
        assert proxy.connections >= connections + 2, "the fault was met, and another connection asked again"
        await assert_spent(tokens, token)


async def test_an_answer_that_is_slow_but_in_time_is_waited_for(tmp_path: Path, proxy: FaultyProxy) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        meet(proxy, Fault(Fate.DELAY, delay=0.1))
        began = monotonic()
        assert (await tokens.verify(token, LINK)).id == token.id
        assert monotonic() - began >= 0.1
        await assert_spent(tokens, token)


async def test_several_faults_in_a_row_are_outlived(tmp_path: Path, proxy: FaultyProxy) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        meet(proxy, Fault(Fate.LOSE))
        for fate in (Fate.REFUSE, Fate.DOUBLE, Fate.TRUNCATE):
            proxy.script(Fault(fate))
        assert (await tokens.verify(token, LINK)).id == token.id
        await assert_spent(tokens, token)


async def test_a_replay_stays_one_when_its_own_answer_is_lost(tmp_path: Path, proxy: FaultyProxy) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        await tokens.verify(token, LINK)
        meet(proxy, Fault(Fate.LOSE))
        await assert_spent(tokens, token)


async def test_in_a_black_hole_nobody_gets_in_and_it_heals(tmp_path: Path, proxy: FaultyProxy) -> None:
    async with service(tmp_path / "keys", proxy, timeout=SHORT) as tokens:
        token = await tokens.mint(LINK)
        proxy.black_hole = True
        began, requests = monotonic(), proxy.requests
        for _ in range(2):
            with pytest.raises(ReplayStoreError) as caught:
                await tokens.verify(token, LINK)
            assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
            assert caught.value.status_code == 503
            assert caught.value.retryable
        assert proxy.requests > requests
        assert monotonic() - began < 2 * (SHORT.total_seconds() + 0.5)
        proxy.black_hole = False
        assert (await tokens.verify(token, LINK)).id == token.id, "nothing was forwarded, so nothing was spent"
        await assert_spent(tokens, token)


async def test_when_every_answer_is_lost_the_outcome_is_unknown_and_the_token_stays_spent(
    tmp_path: Path, proxy: FaultyProxy
) -> None:
    async with service(tmp_path / "keys", proxy, timeout=SHORT) as tokens:
        token = await tokens.mint(LINK)
        meet(proxy, Fault(Fate.SWALLOW))
        proxy.script(Fault(Fate.SWALLOW))
        with pytest.raises(ReplayStoreError) as caught:
            await tokens.verify(token, LINK)
        assert caught.value.reason is Reason.REPLAY_OUTCOME_UNKNOWN
        await assert_spent(tokens, token)


@pytest.mark.parametrize("fate", [Fate.LOSE, Fate.SWALLOW, Fate.TRUNCATE, Fate.DOUBLE, Fate.REFUSE])
async def test_a_redeem_whose_commit_goes_unanswered_ends_spent(tmp_path: Path, proxy: FaultyProxy, fate: Fate) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        async with tokens.redeem(token, LINK) as redeemed:
            assert redeemed.id == token.id
            meet(proxy, Fault(fate))
            connections = proxy.connections
        assert proxy.connections >= connections + 2, "the fault was met, and another connection asked again"
        await assert_spent(tokens, token)


async def test_a_redeem_whose_release_goes_unanswered_can_be_redeemed_again(tmp_path: Path, proxy: FaultyProxy) -> None:
    async with service(tmp_path / "keys", proxy) as tokens:
        token = await tokens.mint(LINK)
        with pytest.raises(LookupError):
            async with tokens.redeem(token, LINK):
                meet(proxy, Fault(Fate.LOSE))
                raise LookupError
        async with tokens.redeem(token, LINK):
            pass
        await assert_spent(tokens, token)
