"""A look changes nothing, whoever looks."""

import pytest

from mintkey.cli.doctor.looking_store import LookingStore
from mintkey.errors import KeyProviderError
from mintkey.health import Check
from mintkey.keys.ports import KeyRingStore
from mintkey.keys.stores.file import FileKeyRingStore
from mintkey.keys.stores.memory import MemoryKeyRingStore


class SelfAware(MemoryKeyRingStore):
    async def checks(self):
        return {"mood": Check(ok=True, word="good", figure=0)}


async def test_reading_is_allowed_and_writing_is_not():
    store = MemoryKeyRingStore()
    looking: KeyRingStore = LookingStore(store)
    assert await looking.load("default") is None
    await store.compare_and_swap("default", expected=0, document=b"x")

    assert (await looking.load("default")).document == b"x"
    with pytest.raises(KeyProviderError, match="changes nothing"):
        await looking.compare_and_swap("default", expected=1, document=b"y")
    with pytest.raises(KeyProviderError, match="changes nothing"):
        await looking.reserve("default", "kid", want=1, limit=1)
    assert [revision async for revision in looking.watch("default")] == []


async def test_a_store_that_knows_itself_is_heard():
    assert set(await LookingStore(SelfAware()).checks()) == {"mood"}
    assert await LookingStore(MemoryKeyRingStore()).checks() == {}


async def test_the_store_is_closed_with_it_and_opened_by_nobody(tmp_path):
    closed = []

    class Noisy(FileKeyRingStore):
        async def _close(self):
            closed.append(True)

    async with LookingStore(Noisy(tmp_path / "ring")):
        assert not (tmp_path / "ring").exists()
    assert closed
    async with LookingStore(MemoryKeyRingStore()):
        pass
