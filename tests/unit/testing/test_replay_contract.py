"""What the contract does with a backend that offers less."""

import pytest

from mintkey.replay.memory import MemoryReplayStore
from mintkey.testing import FaultyReplayStore
from mintkey.testing.contracts.replay_harness import cut_offs_of, joint_looks_of
from tests.support.replay_harness import MemoryReplayHarness


async def test_a_backend_whose_time_is_ours_need_not_tell_how_long_a_mark_lives() -> None:
    async with MemoryReplayHarness() as harness:
        with pytest.raises(NotImplementedError):
            await harness.life_left("key")


@pytest.mark.parametrize("capability", [cut_offs_of, joint_looks_of])
def test_a_capability_is_tested_only_where_there_is_one(capability) -> None:
    store = MemoryReplayStore()
    assert capability(store) is store
    with pytest.raises(pytest.skip.Exception):
        capability(FaultyReplayStore(MemoryReplayStore()))
