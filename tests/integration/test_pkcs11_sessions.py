"""Sessions with a PKCS#11 token: shared, lost, refused, abandoned."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import anyio
import pkcs11
import pytest
from anyio import to_thread

from mintkey import KeyProviderError, Purpose, Reason, TokenService
from mintkey.keys.custodians import pkcs11_pairs
from mintkey.keys.custodians.pkcs11 import Pkcs11Custodian
from mintkey.keys.custodians.pkcs11_module import Module
from mintkey.keys.custodians.pkcs11_objects import generate, private_key
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.stores.memory import MemoryKeyRingStore
from tests.support.hsm import LABEL, PIN, Hsm, Officer

pytest_plugins = ["tests.support.hsm_fixtures"]

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
MOMENT = timedelta(seconds=1)


class TestManyAtOnce:
    async def test_all_mints_get_their_signatures(self, hsm: Hsm, logins: list[bytes]) -> None:
        custodian = hsm.custodian(concurrency=3)
        keys = RotatingKeyProvider(MemoryKeyRingStore(), algorithm="ES256", custodian=custodian)
        async with TokenService(issuer="https://myapp.example", keys=keys) as tokens, custodian:
            minted: list[str] = []

            async def mint() -> None:
                minted.append(await tokens.mint(ACCESS, subject="20"))

            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(mint)
            assert {(await tokens.verify(token, ACCESS)).subject for token in minted} == {"20"}
            assert len(minted) == 50
        assert logins == [PIN.encode()]

    async def test_no_more_sessions_are_opened_than_allowed(self, hsm: Hsm) -> None:
        custodian = hsm.custodian(concurrency=3)
        at_work: list[int] = []
        most = 0

        def work(_: object) -> None:
            nonlocal most
            at_work.append(1)
            most = max(most, len(at_work))
            Event().wait(0.002)
            at_work.pop()

        async with custodian, anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(to_thread.run_sync, custodian._sessions.run, work)
        assert most == 3

    async def test_event_loops_of_two_threads_share_a_custodian(self, hsm: Hsm) -> None:
        custodian = hsm.custodian()
        material = await custodian.create("ES256")

        async def sign() -> list[bytes]:
            key = await custodian.open(material)
            return [await key.sign(b"input") for _ in range(20)]

        there = await to_thread.run_sync(anyio.run, sign)
        assert len({*there, *await sign()}) == 40

    async def test_custodians_of_a_module_do_not_disturb_each_other(self, hsm: Hsm) -> None:
        one, other = hsm.custodian(), hsm.custodian()
        key = await other.open(await one.create("ES256"))
        await one.aclose()
        assert len(await key.sign(b"input")) == 64

    async def test_another_name_of_the_file_is_the_same_module(self, hsm: Hsm) -> None:
        link = hsm.home / "link.so"
        link.symlink_to(hsm.module)
        one, other = hsm.custodian(), Pkcs11Custodian(link, token_label=LABEL, pin=PIN)
        async with one, other:
            assert len(await (await other.open(await one.create("ES256"))).sign(b"input")) == 64

    async def test_it_may_be_closed_again_and_opened_again(self, hsm: Hsm, logins: list[bytes]) -> None:
        custodian = hsm.custodian()
        await custodian.aclose()
        key = await custodian.open(await custodian.create("ES256"))
        await custodian.aclose()
        await custodian.aclose()
        assert len(await key.sign(b"input")) == 64
        assert len(logins) == 2


Loss = Callable[[Officer], None]
LOSSES = [Officer.close_all_sessions, Officer.log_out, Officer.finalize]


class TestLostSessions:
    @pytest.mark.parametrize("lose", LOSSES)
    async def test_between_two_calls_nobody_notices(self, hsm: Hsm, officer: Officer, lose: Loss) -> None:
        custodian = hsm.custodian()
        key = await custodian.open(await custodian.create("ES256"))
        for _ in range(2):
            await to_thread.run_sync(lose, officer)
            assert len(await key.sign(b"input")) == 64

    async def test_who_was_logged_out_does_not_take_keys_for_gone(self, hsm: Hsm, officer: Officer) -> None:
        custodian = hsm.custodian()
        kept, gone = await custodian.create("ES256"), await custodian.create("ES256")
        await to_thread.run_sync(officer.log_out)
        assert (await custodian.open(kept)).kid == kept.kid
        await to_thread.run_sync(officer.log_out)
        await custodian.destroy(gone)
        assert len(officer.objects()) == len(officer.objects(pkcs11.ObjectClass.PUBLIC_KEY)) == 1

    @pytest.mark.parametrize("lose", LOSSES)
    async def test_inside_a_call_it_is_made_again(self, hsm: Hsm, officer: Officer, lose: Loss) -> None:
        custodian = hsm.custodian()
        material = await custodian.create("ES256")
        tries: list[int] = []

        def work(session: Any) -> bytes:
            key = private_key(session, material.handle)
            tries.append(session.raw.handle)
            if len(tries) == 1:
                lose(officer)
            signature: bytes = key.sign(bytes(32), mechanism=pkcs11.Mechanism.ECDSA)
            return signature

        assert len(await to_thread.run_sync(custodian._sessions.run, work)) == 64
        assert len(tries) == 2

    @pytest.mark.parametrize(
        ("error", "tries"),
        [
            (pkcs11.SessionHandleInvalid, 2),
            (pkcs11.SessionClosed, 2),
            (pkcs11.UserNotLoggedIn, 2),
            (pkcs11.DeviceRemoved, 2),
            (pkcs11.DeviceError, 2),
            (pkcs11.DataInvalid, 1),
            (pkcs11.PinIncorrect, 1),
        ],
    )
    async def test_it_is_made_again_once(self, hsm: Hsm, error: type[Exception], tries: int) -> None:
        made = 0

        def work(_: object) -> None:
            nonlocal made
            made += 1
            raise error

        with pytest.raises(error):
            await to_thread.run_sync(hsm.custodian()._sessions.run, work)
        assert made == tries

    async def test_a_token_that_is_gone_is_not_there(self, hsm: Hsm) -> None:
        custodian = hsm.custodian()
        key = await custodian.open(await custodian.create("ES256"))
        (token,) = hsm.tokens.iterdir()
        shutil.rmtree(token)
        with pytest.raises(KeyProviderError, match="could not sign with key") as raised:
            await key.sign(b"input")
        assert raised.value.reason is Reason.SIGNING_FAILED
        assert raised.value.retryable


@pytest.fixture
def gate() -> Iterator[Event]:
    """What a hanging token waits for."""
    gate = Event()
    yield gate
    gate.set()


class TestHanging:
    async def test_a_caller_waits_no_longer_than_the_timeout(
        self, hsm: Hsm, gate: Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        custodian = hsm.custodian(timeout=MOMENT, concurrency=1)
        key = await custodian.open(await custodian.create("ES256"))
        monkeypatch.setattr("mintkey.keys.custodians.pkcs11.sign", lambda *_: gate.wait(10))
        for _ in range(2):
            with (
                anyio.fail_after(5),
                pytest.raises(KeyProviderError, match=r"did not answer within|keeps all") as raised,
            ):
                await key.sign(b"input")
            assert raised.value.retryable
        await custodian.aclose()  # waits no longer either

    async def test_a_cancelled_caller_goes_at_once(
        self, hsm: Hsm, gate: Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        custodian = hsm.custodian()
        key = await custodian.open(await custodian.create("ES256"))
        monkeypatch.setattr("mintkey.keys.custodians.pkcs11.sign", lambda *_: gate.wait(10))
        with anyio.move_on_after(0.05) as scope:
            await key.sign(b"input")
        assert scope.cancelled_caught
        monkeypatch.undo()
        gate.set()
        assert len(await key.sign(b"input")) == 64

    async def test_closing_waits_for_whoever_is_at_work(self, hsm: Hsm, gate: Event) -> None:
        custodian, begun = hsm.custodian(), Event()
        order: list[str] = []

        def work(_: object) -> None:
            begun.set()
            gate.wait(10)
            order.append("worked")

        async def close() -> None:
            await custodian.aclose()
            order.append("closed")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(to_thread.run_sync, custodian._sessions.run, work)
            await to_thread.run_sync(begun.wait, 10)
            tasks.start_soon(close)
            await anyio.wait_all_tasks_blocked()
            await to_thread.run_sync(Event().wait, 0.05)  # time for a close that does not wait
            gate.set()
        assert order == ["worked", "closed"]

    async def test_a_key_that_nobody_waits_for_is_deleted(
        self, hsm: Hsm, officer: Officer, gate: Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        custodian, begun = hsm.custodian(), Event()

        def slowly(*arguments: Any, **named: Any) -> Any:
            begun.set()
            gate.wait(10)
            return generate(*arguments, **named)

        async with custodian:
            monkeypatch.setattr(pkcs11_pairs, "generate", slowly)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(custodian.create, "ES256")
                await to_thread.run_sync(begun.wait, 10)
                tasks.cancel_scope.cancel()
            gate.set()
        # Closing waited for whoever was at work.
        async with custodian:
            assert officer.objects() == officer.objects(pkcs11.ObjectClass.PUBLIC_KEY) == []

    async def test_a_signature_of_another_length_is_none(self, hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
        custodian = hsm.custodian()
        key = await custodian.open(await custodian.create("ES256"))

        class Confused:
            def sign(self, *_: object, **__: object) -> bytes:
                return bytes(70)

        monkeypatch.setattr("mintkey.keys.custodians.pkcs11.private_key", lambda *_: Confused())
        with pytest.raises(KeyProviderError, match="signed with 70 bytes instead of 64") as raised:
            await key.sign(b"input")
        assert raised.value.reason is Reason.SIGNING_FAILED

    async def test_a_label_that_cannot_be_changed_is_left(
        self, hsm: Hsm, officer: Officer, monkeypatch: pytest.MonkeyPatch
    ) -> None:

        class Fixed:
            def __init__(self, half: Any) -> None:
                self.half = half

            def __getitem__(self, name: pkcs11.Attribute) -> Any:
                return self.half[name]

            def __setitem__(self, _name: pkcs11.Attribute, _value: object) -> None:
                raise pkcs11.AttributeReadOnly

        monkeypatch.setattr(pkcs11_pairs, "generate", lambda *a, **k: tuple(map(Fixed, generate(*a, **k))))
        custodian = hsm.custodian()
        material = await custodian.create("ES256")
        (found,) = officer.objects()
        assert found[pkcs11.Attribute.LABEL].endswith(":")
        await custodian.destroy(material)
        assert officer.objects() == []


async def test_nothing_blocks_the_event_loop(hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    for name in ("revive", "tokens", "is_logged_in", "log_in"):
        original = getattr(Module, name)

        def noting(module: Module, *arguments: Any, original: Any = original) -> Any:
            threads.add(threading.get_ident())
            return original(module, *arguments)

        monkeypatch.setattr(Module, name, noting)
    async with hsm.custodian() as custodian:
        material = await custodian.create("ES256")
        await (await custodian.open(material)).sign(b"input")
        await custodian.destroy(material)
    assert threads
    assert threading.get_ident() not in threads
