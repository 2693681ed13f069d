"""What the contract does with a backend that offers less."""

import pytest

from mintkey.replay.memory import MemoryReplayStore
from mintkey.testing import FaultyReplayStore
from mintkey.testing.contracts.replay_harness import cut_offs_of
from tests.support.replay_harness import MemoryReplayHarness


async def test_a_backend_whose_time_is_ours_need_not_tell_how_long_a_mark_lives() -> None:
    async with MemoryReplayHarness() as harness:
        with pytest.raises(NotImplementedError):
            await harness.life_left("key")


def test_cut_offs_are_tested_only_where_there_are_any() -> None:
    store = MemoryReplayStore()
    assert cut_offs_of(store) is store
    with pytest.raises(pytest.skip.Exception):
        cut_offs_of(FaultyReplayStore(MemoryReplayStore()))
