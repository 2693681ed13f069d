"""What the memory store adds to its contract."""

import anyio

from mintkey.keys.stores.memory import MemoryKeyRingStore


async def test_watching_yields_what_is_there_and_then_every_change() -> None:
    store, seen = MemoryKeyRingStore(), list[int]()
    await store.compare_and_swap("default", expected=0, document=b"{}")

    async def watch() -> None:
        seen.extend([revision async for revision in store.watch("default")])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        for revision in (1, 2):
            await store.compare_and_swap("default", expected=revision, document=b"{}")
            await anyio.wait_all_tasks_blocked()
        store.forget("default")
    assert seen == [1, 2, 3]


async def test_what_was_loaded_does_not_change() -> None:
    store = MemoryKeyRingStore()
    await store.compare_and_swap("default", expected=0, document=b"{}")
    loaded = await store.load("default")
    await store.reserve("default", "kid", want=1, limit=1)
    assert loaded is not None
    assert not loaded.mints


async def test_nothing_shows_a_document() -> None:
    store = MemoryKeyRingStore()
    await store.compare_and_swap("default", expected=0, document=b"the document")
    assert "document" not in repr(store) + repr(await store.load("default")) + repr(store._rings)


def test_forgetting_what_is_not_there_does_nothing() -> None:
    MemoryKeyRingStore().forget("default")
