"""Several event loops, one service: what is known is shared, and no loop waits for another.

The other loop stopped at the worst moment, in the middle of its work, as a loop does whose test calls a client that
blocks. It goes on later, or never.
"""

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import pytest

import mintkey.testing
from mintkey import Purpose, TokenService
from mintkey.bus import Forwarder
from mintkey.cache import VerificationCache
from mintkey.errors import EventBusError, KeyProviderError
from mintkey.events import Event, Minted, Revoked, Rotated
from mintkey.http.base import HttpRequest, HttpResponse
from mintkey.jose.compact import HeaderCache
from mintkey.jose.header import NO_HEADERS, Header
from mintkey.jose.jwk import generate
from mintkey.jose.prepared import signing_key
from mintkey.keys import EnvKeyProvider, JWKSKeyResolver
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.keys.blocks import MintBlock
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial, StoredRing
from mintkey.keys.stores.memory import MemoryKeyRingStore
from mintkey.lifecycle import Resource
from mintkey.loops import PerLoop, Waiting
from mintkey.opening import Openings
from mintkey.purpose import PurposeTable
from mintkey.testing import FakeClock
from tests.support.loops import Stage, in_threads, stopped_loop
from tests.support.remote import Endpoint, jwks
from tests.support.ring_faults import BY_COUNT, BY_HAND, FaultyCustodian, FaultyRingStore

T = TypeVar("T")

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))


def run(work: Coroutine[Any, Any, T], /) -> T:
    """What a coroutine returns in a loop of its own, if it does not hang."""

    async def limited() -> T:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(limited())


class StagedStore(FaultyRingStore):
    """One loop stops before or behind an operation.

    Attributes:
        before, behind: Where it stops, by operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Stage] = {}
        self.behind: dict[str, Stage] = {}

    async def load(self, ring: str, /) -> StoredRing | None:
        return await self._staged("load", super().load(ring))

    async def compare_and_swap(self, ring: str, /, *, expected: int, document: bytes) -> bool:
        swapping = super().compare_and_swap(ring, expected=expected, document=document)
        return await self._staged("compare_and_swap", swapping)

    async def reserve(self, ring: str, kid: str, /, *, want: int, limit: int) -> int:
        return await self._staged("reserve", super().reserve(ring, kid, want=want, limit=limit))

    async def give_back(self, ring: str, kid: str, /, *, count: int) -> None:
        await self._staged("give_back", super().give_back(ring, kid, count=count))

    async def _staged(self, operation: str, work: Coroutine[Any, Any, T]) -> T:
        try:
            if operation in self.before:
                await self.before[operation].pass_by()
        except BaseException:
            work.close()
            raise
        result = await work
        if operation in self.behind:
            await self.behind[operation].pass_by()
        return result


class StagedCustodian(FaultyCustodian):
    """One loop stops before an operation."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Stage] = {}

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        await self._pass_by("create")
        return await super().create(algorithm)

    async def open(self, material: KeyMaterial, /) -> SigningKey:
        await self._pass_by("open")
        return await super().open(material)

    async def _pass_by(self, operation: str) -> None:
        if operation in self.before:
            await self.before[operation].pass_by()


class Setting:
    """A provider whose store and custodian have stages."""

    def __init__(self, policy: RotationPolicy = BY_COUNT, *, algorithm: Algorithm = "EdDSA") -> None:
        self.store = StagedStore()
        self.custodian = StagedCustodian()
        self.clock = FakeClock()
        self.keys = RotatingKeyProvider(
            self.store, custodian=self.custodian, policy=policy, clock=self.clock, algorithm=algorithm
        )

    def minted(self) -> int:
        stored = run(self.store.shared.load("default"))
        return 0 if stored is None else sum(stored.mints.values())


# No loop waits for another


@pytest.mark.parametrize("operation", ["load", "compare_and_swap", "reserve"])
@pytest.mark.parametrize("side", ["before", "behind"])
@pytest.mark.parametrize("work", ["acquire", "rotate", "maintain"])
def test_a_loop_that_stopped_at_the_store_keeps_no_other_from_it(operation: str, side: str, work: str) -> None:
    setting, stage = Setting(), Stage()
    getattr(setting.store, side)[operation] = stage

    async def use() -> str:
        await getattr(setting.keys, work)()
        return (await setting.keys.acquire()).key.kid

    with stopped_loop(use(), stage) as (loop, task):
        kids = {run(use()) for _ in range(3)}
        stage.may_go_on = True
        kids.add(loop.run_until_complete(task))
        assert kids <= {version.kid for version in run(setting.keys.versions())}


@pytest.mark.parametrize("operation", ["create", "open"])
def test_a_loop_that_stopped_at_the_custodian_keeps_no_other_from_it(operation: str) -> None:
    setting, stage = Setting(), Stage()
    setting.custodian.before[operation] = stage
    with stopped_loop(setting.keys.acquire(), stage) as (loop, task):
        grants = [run(setting.keys.acquire()) for _ in range(3)]
        stage.may_go_on = True
        grants.append(loop.run_until_complete(task))
    assert len({grant.key.kid for grant in grants}) == 1


def test_a_loop_that_was_closed_in_the_middle_of_its_work_is_not_waited_for() -> None:
    setting, stage = Setting(), Stage()
    setting.store.before["load"] = stage
    loop = asyncio.new_event_loop()

    async def begin() -> "asyncio.Task[object]":
        task = asyncio.create_task(setting.keys.acquire())
        while not stage.is_reached:
            await anyio.lowlevel.checkpoint()
        return task

    task = loop.run_until_complete(begin())
    others = asyncio.all_tasks(loop)
    loop.close()
    try:
        assert run(setting.keys.acquire()).count == 1
        run(setting.keys.aclose())
    finally:
        for pending in {task, *others}:  # nobody is to be told of tasks that were left
            pending._log_destroy_pending = False  # type: ignore[attr-defined]  # there is no other way
            with suppress(RuntimeError):
                pending.get_coro().close()


def test_a_resource_that_another_loop_is_opening_is_opened() -> None:
    stage, openings = Stage(), Openings()

    class Slow(Resource):
        opened = closed = 0

        async def _open(self) -> None:
            self.opened += 1
            await stage.pass_by()

        async def _close(self) -> None:
            self.closed += 1

    slow = Slow()
    with stopped_loop(openings.enter(slow), stage) as (loop, task):
        run(openings.enter(slow))
        assert slow in openings
        stage.may_go_on = True
        loop.run_until_complete(task)
    run(openings.leave_all())
    assert slow.closed == 1


def test_keys_of_the_environment_are_loaded_by_whoever_needs_them(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, key = Stage(), generate("EdDSA")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [dict(key.private_jwk or {})]}))
    keys = EnvKeyProvider({"MINTKEY_KEYS": str(tmp_path / "keys.json")})

    async def offload(function: Callable[..., T], *arguments: object) -> T:
        await stage.pass_by()
        return await asyncio.to_thread(function, *arguments)

    monkeypatch.setattr("mintkey.keys.env.offload", offload)
    with stopped_loop(keys.acquire(), stage) as (loop, task):
        assert run(keys.acquire()).key.kid == key.kid
        stage.may_go_on = True
        assert loop.run_until_complete(task).key.kid == key.kid


# What is known only gets younger


def test_an_older_ring_never_replaces_a_younger_one(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is it taken for a store that forgot something."""
    setting, stage = Setting(RotationPolicy(every=None, max_mints=70, publish_ahead=timedelta(0))), Stage()
    before = run(setting.keys.acquire()).key.kid
    setting.store.behind["load"] = stage
    with stopped_loop(setting.keys.versions(), stage) as (loop, task):
        after = run(setting.keys.rotate()).kid
        stage.may_go_on = True
        assert {version.kid for version in loop.run_until_complete(task)} > {before, after}
    assert run(setting.keys.acquire()).key.kid == after
    assert len(run(setting.keys.versions())) == 3
    assert not caplog.records


def test_a_ring_whose_secrets_took_long_to_open_never_replaces_a_younger_one() -> None:
    setting, stage = Setting(BY_HAND, algorithm="HS256"), Stage()
    run(setting.keys.acquire())
    elsewhere = RotatingKeyProvider(
        setting.store.shared, custodian=FaultyCustodian(), policy=BY_HAND, algorithm="HS256"
    )
    run(elsewhere.rotate())
    setting.custodian.before["open"] = stage
    with stopped_loop(setting.keys.versions(), stage) as (loop, task):
        after = run(setting.keys.rotate()).kid
        stage.may_go_on = True
        loop.run_until_complete(task)
    assert run(setting.keys.acquire()).key.kid == after


def test_counts_that_another_loop_overtook_are_not_taken_for_lost() -> None:
    """Else the version would be replaced, as after a restart of a store without memory."""
    setting, stage = Setting(RotationPolicy(every=None, max_mints=1000, publish_ahead=timedelta(0))), Stage()
    before = run(setting.keys.acquire()).key.kid
    setting.store.behind["load"] = stage
    with stopped_loop(setting.keys.versions(), stage) as (loop, task):
        run(setting.keys.acquire(100))
        run(setting.keys.versions())
        stage.may_go_on = True
        loop.run_until_complete(task)
    assert run(setting.keys.acquire()).key.kid == before


def test_a_rotation_that_another_loop_sees_first_is_told_once_and_as_ours() -> None:
    setting, stage, heard = Setting(BY_HAND), Stage(), list[Event]()
    tokens = TokenService(issuer="https://app.example", keys=setting.keys, hooks=[heard.append])
    run(tokens.mint(ACCESS))
    setting.store.behind["compare_and_swap"] = stage
    with stopped_loop(setting.keys.rotate(), stage) as (loop, task):
        run(setting.keys.versions())
        stage.may_go_on = True
        rotated = loop.run_until_complete(task)
    told = [event for event in heard if isinstance(event, Rotated)]
    assert [(event.key_id, event.is_own) for event in told] == [(rotated.kid, True)]


def test_a_change_that_is_younger_than_what_another_loop_saw_meanwhile_replaces_it() -> None:
    setting, stage = Setting(BY_HAND), Stage()
    run(setting.keys.acquire())
    setting.store.before["compare_and_swap"] = stage
    with stopped_loop(setting.keys.rotate(), stage) as (loop, task):
        run(setting.keys.versions())
        stage.may_go_on = True
        rotated = loop.run_until_complete(task)
    assert run(setting.keys.acquire()).key.kid == rotated.kid


async def test_remote_keys_that_were_asked_for_later_stay() -> None:
    old, new = generate("EdDSA"), generate("EdDSA")
    endpoint, stage = Endpoint(jwks(old), cache_control="max-age=600"), Stage()

    class Staged:
        async def send(self, request: HttpRequest, /) -> HttpResponse:
            answer = await endpoint.send(request)
            await stage.pass_by()
            return answer

        async def aclose(self) -> None: ...

    clock = FakeClock()
    keys = JWKSKeyResolver("https://issuer.example/jwks", transport=Staged(), clock=clock)

    def other_loops() -> None:
        with stopped_loop(keys.resolve(old.kid), stage) as (loop, task):
            endpoint.body = jwks(old, new)
            clock.advance(timedelta(seconds=1))
            assert run(keys.resolve(new.kid)).kid == new.kid
            stage.may_go_on = True
            assert loop.run_until_complete(task).kid == old.kid

    await asyncio.to_thread(other_loops)
    assert keys.at_hand(new.kid)


# Nothing is counted twice


def test_a_block_gives_no_mint_twice() -> None:
    block = MintBlock.of(signing_key(generate("EdDSA")), 30_000, began_at=0.0)

    async def take(want: int) -> int:
        taken = 0
        while (grant := block.take(want)) is not None:
            taken += grant.count
        return taken

    taken = in_threads(*(lambda want=want: take(want) for want in (1, 1, 3)))
    assert sum(taken) == 30_000
    assert block.empty() == 0


def test_mints_that_another_loop_is_asking_for_are_used_up_before_a_rotation() -> None:
    """As many as there are: the store granted them, and they are on their way."""
    setting, stage = Setting(), Stage()
    first = run(setting.keys.acquire()).key.kid
    setting.store.behind["reserve"] = stage

    async def rest() -> list[str]:
        return [(await setting.keys.acquire(6)).key.kid]

    with stopped_loop(rest(), stage) as (loop, task):

        async def wait_for_it() -> str:
            return (await setting.keys.acquire()).key.kid

        begin, kids = threading.Event(), list[str]()

        def elsewhere() -> None:
            begin.set()
            kids.append(run(wait_for_it()))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        begin.wait(20)
        stage.may_go_on = True
        kids += loop.run_until_complete(task)
        thread.join(20)
    assert first in kids
    assert run(setting.keys.acquire()).count == 1


def test_a_loop_that_stopped_with_mints_on_their_way_is_not_waited_for_long() -> None:
    setting, stage = Setting(), Stage()
    first = run(setting.keys.acquire()).key.kid
    setting.store.behind["reserve"] = stage
    with stopped_loop(setting.keys.acquire(6), stage) as (loop, task):
        second = run(setting.keys.acquire()).key.kid
        stage.may_go_on = True
        assert loop.run_until_complete(task).key.kid == second
    assert second != first


def test_mints_are_given_back_once() -> None:
    setting, stage = Setting(RotationPolicy(every=None, max_mints=6400, publish_ahead=timedelta(0))), Stage()

    async def use() -> None:
        for _ in range(20):
            await setting.keys.acquire()
        await setting.keys.rotate()
        await setting.keys.acquire()

    run(use())
    setting.store.before["give_back"] = stage
    with stopped_loop(setting.keys.maintain(), stage) as (loop, task):
        run(setting.keys.maintain())
        stage.may_go_on = True
        loop.run_until_complete(task)
    run(setting.keys.aclose())
    assert setting.minted() == 21


# Who closes


def test_closing_tells_those_who_wait_in_another_loop() -> None:
    setting, stage = Setting(), Stage()
    setting.store.before["load"] = stage
    with stopped_loop(setting.keys.acquire(), stage) as (loop, task):
        run(setting.keys.aclose())
        with pytest.raises(KeyProviderError, match="closed"):
            loop.run_until_complete(task)
    assert run(setting.keys.acquire()).count == 1


def test_keys_on_their_way_into_the_ring_are_not_destroyed_by_who_closes() -> None:
    setting, stage = Setting(BY_HAND), Stage()
    run(setting.keys.acquire())
    setting.store.behind["compare_and_swap"] = stage
    with stopped_loop(setting.keys.rotate(), stage):
        run(setting.keys.aclose())
        assert not setting.custodian.destroyed
    assert len(run(setting.keys.versions())) == 3


def test_a_service_is_entered_in_one_loop_and_left_in_another() -> None:
    setting = Setting()
    tokens = TokenService(issuer="https://app.example", keys=setting.keys)
    entered = asyncio.new_event_loop()
    entered.run_until_complete(tokens.__aenter__())
    upkeep = [task for task in asyncio.all_tasks(entered) if task.get_name() == "mintkey-maintain"]
    run(tokens.aclose())
    entered.run_until_complete(asyncio.wait(upkeep))
    assert [task.cancelled() for task in upkeep] == [True]
    entered.close()
    assert not setting.store.is_open


def test_a_service_whose_loop_was_closed_is_left_in_another() -> None:
    setting = Setting()
    tokens = TokenService(issuer="https://app.example", keys=setting.keys)
    run(tokens.__aenter__())

    async def use_and_leave() -> str:
        async with tokens:
            return await tokens.mint(ACCESS)

    assert run(use_and_leave())
    assert not setting.store.is_open


def test_openings_are_counted_in_all_loops() -> None:
    class Counted(Resource):
        opened = closed = 0

        async def _open(self) -> None:
            self.opened += 1

        async def _close(self) -> None:
            self.closed += 1

    resource = Counted()

    async def come_and_go() -> None:
        for _ in range(2000):
            async with resource:
                pass

    run(resource.__aenter__())
    in_threads(come_and_go, come_and_go, come_and_go)
    assert (resource.opened, resource.closed) == (1, 0)
    run(resource.aclose())
    assert resource.closed == 1


# Who listens


def test_a_change_in_one_loop_wakes_who_watches_in_another() -> None:
    store, seen = MemoryKeyRingStore(), threading.Semaphore(0)
    run(store.compare_and_swap("default", expected=0, document=b"1"))

    async def watch() -> list[int]:
        revisions: list[int] = []
        async for revision in store.watch("default"):
            revisions.append(revision)
            seen.release()
        return revisions

    async def change() -> list[int]:
        assert await asyncio.to_thread(seen.acquire, timeout=20)
        assert await store.compare_and_swap("default", expected=1, document=b"2")
        assert await asyncio.to_thread(seen.acquire, timeout=20)
        store.forget("default")
        return []

    watched, _ = in_threads(watch, change)
    assert watched == [1, 2]


def test_what_hangs_in_one_loop_is_healed_from_another() -> None:
    store = mintkey.testing.FaultyRingStore(MemoryKeyRingStore())
    store.fail(mintkey.testing.StoreFault.HANG)
    keys = RotatingKeyProvider(store, custodian=FaultyCustodian())

    async def mint() -> int:
        return (await keys.acquire()).count

    async def heal() -> int:
        while not store.calls["load"]:
            await anyio.lowlevel.checkpoint()
        store.heal()
        return 0

    assert in_threads(mint, heal) == [1, 0]


def test_a_watcher_whose_loop_was_closed_disturbs_nobody() -> None:
    store, loop = MemoryKeyRingStore(), asyncio.new_event_loop()
    run(store.compare_and_swap("default", expected=0, document=b"1"))

    async def begin() -> "asyncio.Task[None]":
        async def watch() -> None:
            async for _ in store.watch("default"):
                pass

        task = asyncio.create_task(watch())
        for _ in range(3):
            await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(begin())
    loop.close()
    assert run(store.compare_and_swap("default", expected=1, document=b"2"))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # there is no other way
    task.get_coro().close()


class StagedBus:
    """Takes events; one loop stops in the middle of it."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.taken: list[Event] = []
        self.is_away = False

    async def publish(self, event: Event, /, *, event_id: str) -> str:
        await self.stage.pass_by()
        if self.is_away:
            raise EventBusError("away")
        self.taken.append(event)
        return event_id

    def tell(self, trouble: object, /, *, count: int = 1) -> None: ...


def test_events_of_several_loops_are_each_published_once() -> None:
    bus = StagedBus()
    forwarder = Forwarder(bus)  # type: ignore[arg-type]  # a stand-in
    events = [Revoked(purpose=name, what="token") for name in "abcd"]

    async def forward(*some: Event) -> None:
        for event in some:
            forwarder(event)
        while forwarder._waiting or forwarder._publishing.is_running:
            await anyio.lowlevel.checkpoint()

    with stopped_loop(forward(*events[:2]), bus.stage) as (loop, task):
        run(forward(*events[2:]))
        bus.stage.may_go_on = True
        loop.run_until_complete(task)
    assert sorted(event.purpose for event in bus.taken if isinstance(event, Revoked)) == list("abcd")


def test_an_event_is_left_to_another_loop_if_its_own_is_closed() -> None:
    bus = StagedBus()
    forwarder = Forwarder(bus)  # type: ignore[arg-type]  # a stand-in
    events = [Revoked(purpose=name, what="token") for name in "ab"]

    async def forward(event: Event) -> None:
        forwarder(event)
        await asyncio.sleep(3600)

    with stopped_loop(forward(events[0]), bus.stage):
        pass
    bus.stage.may_go_on = True

    async def close() -> None:
        async with forwarder:
            forwarder(events[1])

    run(close())
    assert bus.taken == events


def test_hooks_are_told_by_whatever_loop_it_happened_in() -> None:
    heard: list[Event] = []
    tokens = TokenService(issuer="https://app.example", keys=Setting().keys, hooks=[heard.append])

    async def mint() -> None:
        for _ in range(20):
            await tokens.mint(ACCESS)

    in_threads(mint, mint)
    assert sum(isinstance(event, Minted) for event in heard) == 40


# What is kept for later


@pytest.mark.parametrize("kept", ["tokens", "headers", "purposes"])
def test_bounded_memories_may_be_shared(kept: str) -> None:
    tokens, headers = VerificationCache(max_entries=3), HeaderCache(max_entries=3)
    purposes: PurposeTable[str] = PurposeTable(lambda purpose: purpose.name)
    found: Any = ({}, "access", "k", {}, {})

    async def remember() -> None:
        for number in range(3000):
            match kept:
                case "tokens":
                    tokens.put(str(number), ACCESS, None, found)
                case "headers":
                    headers.remember(str(number).encode(), Header("EdDSA", "k", None, NO_HEADERS))
                case _:
                    purpose = Purpose(f"p{number % 400}", lifetime=timedelta(minutes=1))
                    assert purposes[purpose] == purpose.name

    in_threads(remember, remember, remember)


async def test_who_gave_up_waiting_is_not_woken() -> None:
    waiting = Waiting()
    gone, stays = waiting.join(), waiting.join()
    waiting.wake_all()
    gone.cancel()
    await stays
    assert gone.cancelled()


async def test_what_belongs_to_a_loop_is_made_in_it_once() -> None:
    locks = PerLoop(anyio.Lock)
    assert locks.here() is locks.here()
    assert await asyncio.to_thread(run, _here(locks)) is not locks.here()


def test_what_belonged_to_a_loop_goes_with_it() -> None:
    class Thing:
        pass

    things = PerLoop(Thing)
    gone = weakref.ref(run(_here(things)))
    assert run(_here(things)) is not gone()
    gc.collect()
    assert gone() is None


async def _here(things: PerLoop[T]) -> T:
    return things.here()
