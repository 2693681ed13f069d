"""Keys at rest in SQLite: no private key in any form, in the file or its log, and nobody else may look."""

import stat
from datetime import timedelta

import pytest

from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.sql import SQLKeyProvider
from mintkey.replay.sql import SQLReplayStore
from mintkey.testing.clock import FakeClock
from tests.security.test_at_rest import KEK, everything_in, private_forms, private_half, spellings

SEALER = Sealer([KEK])
POLICY = RotationPolicy(every=None, previous_ttl=timedelta(hours=1), publish_ahead=timedelta(0))


class RecordingCustodian(SealedCustodian):
    """Remembers every key that was ever made."""

    def __init__(self, sealer: Sealer | Plaintext) -> None:
        super().__init__(sealer, ring="default", rsa_bits=2048)
        self.made: list[KeyMaterial] = []

    async def create(self, algorithm: Algorithm, /) -> KeyMaterial:
        self.made.append(await super().create(algorithm))
        return self.made[-1]


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
async def test_a_sealed_database_holds_no_private_key_in_any_form(tmp_path, algorithm):
    """Neither while it is open, when everything is in the write-ahead log, nor afterwards."""
    custodian = RecordingCustodian(SEALER)
    url = f"sqlite:///{tmp_path / 'keys.db'}"
    async with SQLKeyProvider(url, custodian=custodian, algorithm=algorithm, policy=POLICY) as provider:
        for _ in range(3):
            grant = await provider.acquire()
            await grant.key.sign(b"something")
            await provider.rotate()
        while_open = everything_in(tmp_path)
    assert len(custodian.made) == 5
    for content in (while_open, everything_in(tmp_path)):
        assert custodian.made[-1].kid.encode() in content
        assert b"PRIVATE" not in content
        for material in custodian.made:
            assert not any(form in content for form in private_forms(private_half(material, SEALER)))
        for spelling in spellings(KEK):
            assert spelling not in content


async def test_the_search_would_find_a_key_and_what_is_erased_is_gone(tmp_path):
    """Even of plain keys, the file keeps only those that may still sign: pages that are freed are overwritten."""
    custodian, clock = RecordingCustodian(Plaintext()), FakeClock()
    url = f"sqlite:///{tmp_path / 'keys.db'}"
    async with SQLKeyProvider(url, custodian=custodian, clock=clock, policy=POLICY) as provider:
        for _ in range(6):
            await provider.acquire()
            await provider.rotate()
            clock.advance(timedelta(minutes=45))
            await provider.prune()
    content = everything_in(tmp_path)
    found = [
        any(form in content for form in private_forms(private_half(material, Plaintext())))
        for material in custodian.made
    ]
    assert found == [False] * (len(found) - 2) + [True] * 2


async def test_nobody_else_may_look_into_any_file(tmp_path):
    url = f"sqlite:///{tmp_path / 'mintkey.db'}"
    async with SQLKeyProvider(url, sealer=SEALER) as provider, SQLReplayStore(url):
        await provider.acquire()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"mintkey.db": 0o600, "mintkey.db-wal": 0o600, "mintkey.db-shm": 0o600}
