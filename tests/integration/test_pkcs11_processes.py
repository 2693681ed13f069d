"""Several processes use one token, and one that used it becomes two."""

from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from pkcs11 import Attribute

from mintkey import KeyProviderError
from mintkey.keys.custodians.pkcs11 import Pkcs11Custodian
from mintkey.keys.custodians.pkcs11_module import Module
from mintkey.keys.ports import KeyMaterial
from mintkey.testing import FakeClock
from tests.support import hsm_workers
from tests.support.hsm import Hsm, Officer, handle_of
from tests.support.hsm_workers import ACCESS
from tests.support.postgres import PostgresDatabase
from tests.support.processes import results

pytest_plugins = ["tests.support.hsm_fixtures"]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/keys.db"


async def minted(hsm: Hsm, database: str, *tasks: str) -> set[str]:
    """The kids of what processes minted, all of it verified here."""
    commands = [(task, hsm.module, database) for task in tasks]
    said = await to_thread.run_sync(lambda: results("tests.support.hsm_workers", *commands))
    kids: set[str] = set()
    async with hsm_workers.service(str(hsm.module), database) as tokens:
        for token in (token for answer in said for token in answer):
            kids.add((await tokens.verify(token, ACCESS)).key_id)
    return kids


async def test_two_processes_share_a_token(hsm: Hsm, database: str) -> None:
    """120 tokens, 40 by each version: none is refused, and what is on the token is what is in the ring."""
    kids = await minted(hsm, database, "mint", "mint")
    assert len(kids) >= 3
    async with hsm.custodian():
        on_the_token = {found[Attribute.LABEL].rpartition(":")[2] for found in Officer(hsm).objects()}
    assert kids <= on_the_token


async def test_a_copy_of_a_process_has_sessions_of_its_own(hsm: Hsm, postgres: PostgresDatabase) -> None:
    database = postgres.url
    said = await to_thread.run_sync(lambda: results("tests.support.hsm_workers", ("fork", hsm.module, database)))
    assert sorted(map(len, said)) == [10, 30]
    async with hsm_workers.service(str(hsm.module), database) as tokens:
        for token in (token for answer in said for token in answer):
            assert (await tokens.verify(token, ACCESS)).subject == "20"


async def test_a_copy_does_not_close_what_is_not_its_own(hsm: Hsm) -> None:
    """As seen from inside: the numbers of sessions begin anew in the copy."""
    custodian, other = hsm.custodian(), hsm.custodian()
    key = await custodian.open(await custodian.create("ES256"))
    module = module_of(custodian)
    module.forget_parent()
    async with other:  # has the number that ours had
        assert other._sessions._pool is not None
        (session,) = other._sessions._pool.idle
        await custodian.aclose()
        assert await to_thread.run_sync(module.is_logged_in, handle_of(session.raw))
        assert len(await key.sign(b"input")) == 64


class TestKeysOfAnotherProcess:
    """SoftHSM overlooks them if this process makes a key between their making and its next look."""

    @pytest.fixture
    async def overlooked(self, hsm: Hsm) -> KeyMaterial:
        custodian = hsm.custodian()
        await custodian.create("ES256")
        (made,) = await to_thread.run_sync(lambda: results("tests.support.hsm_workers", ("create", hsm.module)))
        await custodian.create("ES256")
        return KeyMaterial(algorithm="ES256", **made)

    async def test_they_are_found(self, hsm: Hsm, overlooked: KeyMaterial) -> None:
        key = await hsm.custodian().open(overlooked)
        assert len(await key.sign(b"input")) == 64

    async def test_nobody_is_disturbed(self, hsm: Hsm, overlooked: KeyMaterial) -> None:
        """Looking anew closes the sessions of all who use the module."""
        other = hsm.custodian()
        key = await other.open(await other.create("ES256"))

        async def sign() -> None:
            for _ in range(50):
                assert len(await key.sign(b"input")) == 64

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(sign)
            await hsm.custodian().open(overlooked)

    async def test_one_that_is_not_there_is_looked_for_once_a_minute(self, hsm: Hsm) -> None:
        clock = FakeClock()
        custodian = hsm.custodian(clock=clock)
        gone, missing = await custodian.create("ES256"), await custodian.create("ES256")
        for material in (gone, missing):
            await custodian.destroy(material)
        module, looks = module_of(custodian), []
        for material, seconds in (
            (gone, 0),
            (gone, 0),
            (missing, 59),
            (gone, 1),
            (gone, 0),
            (missing, 0),
            (missing, 60),
        ):
            before = module.era
            clock.advance(timedelta(seconds=seconds))
            with pytest.raises(KeyProviderError, match="there is no such key"):
                await custodian.open(material)
            looks.append(module.era - before)
        assert looks == [1, 0, 1, 1, 0, 0, 1]
        assert len(custodian._sessions._absent) == 1  # what is over is forgotten

    async def test_a_module_that_others_initialised_is_left_alone(self, hsm: Hsm, overlooked: KeyMaterial) -> None:
        custodian = hsm.custodian()
        async with custodian:
            module_of(custodian)._is_shared = True
            with pytest.raises(KeyProviderError, match="there is no such key"):
                await custodian.open(overlooked)


def module_of(custodian: Pkcs11Custodian) -> Module:
    module = custodian._sessions._module
    assert module is not None
    return module
