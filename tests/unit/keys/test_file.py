"""The file provider: the rotating provider, with its ring in a directory."""

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.testing.clock import FakeClock

KEK, OTHER_KEK = Sealer.generate_key(), Sealer.generate_key()


async def signed_by(path: Path | str, **settings: Any) -> str:
    async with StandingStill(path, **settings) as provider:
        return (await provider.acquire()).key.kid


class StandingStill(FileKeyProvider):
    """The provider on a clock that stands still."""

    def __init__(self, path: Path | str, **settings: Any) -> None:
        super().__init__(path, clock=FakeClock(), **settings)


async def test_keys_are_there_after_a_restart(tmp_path):
    assert await signed_by(tmp_path) == await signed_by(str(tmp_path))


async def test_one_directory_holds_several_rings(tmp_path):
    assert len({await signed_by(tmp_path, ring=ring) for ring in ("default", "other", "default")}) == 2


async def test_everything_is_for_us_alone(tmp_path):
    await signed_by(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == {0o600}


async def test_a_directory_that_others_reach_is_refused_with_advice(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        await signed_by(tmp_path)


async def test_keys_may_be_sealed_and_the_sealing_key_replaced(tmp_path):
    kid = await signed_by(tmp_path, sealer=Sealer([KEK]))
    assert await signed_by(tmp_path, sealer=Sealer([OTHER_KEK, KEK])) == kid
    with pytest.raises(KeyProviderError, match="sealed under a key-encryption key that is not listed here"):
        await signed_by(tmp_path, sealer=Sealer([OTHER_KEK]))


async def test_a_ring_that_was_copied_does_not_open_under_another_name(tmp_path):
    # The file names its ring; whoever edits that too meets the seal.
    from mintkey.files import ring_format

    await signed_by(tmp_path, sealer=Sealer([KEK]))
    stored = ring_format.decode("default", (tmp_path / "default.ring").read_bytes())
    (tmp_path / "other.ring").touch(mode=0o600)
    (tmp_path / "other.ring").write_bytes(ring_format.encode("other", stored))
    with pytest.raises(KeyProviderError, match="'other'"):
        await signed_by(tmp_path, ring="other", sealer=Sealer([KEK]))


async def test_a_custodian_of_the_callers(tmp_path):
    custodian = SealedCustodian(Sealer([KEK]), ring="default")
    kid = await signed_by(tmp_path, custodian=custodian)
    assert await signed_by(tmp_path, custodian=custodian) == kid


async def test_a_ring_of_a_custodian_carries_no_seal_that_a_sealer_would_take(tmp_path):
    await signed_by(tmp_path, custodian=SealedCustodian(Sealer([KEK]), ring="default"))
    with pytest.raises(KeyProviderError, match="is not sealed"):
        await signed_by(tmp_path, sealer=Sealer([KEK]))


def test_a_sealer_and_a_custodian_are_too_much(tmp_path):
    with pytest.raises(ConfigurationError, match="FileKeyProvider takes sealer= or custodian="):
        FileKeyProvider(tmp_path, sealer=Plaintext(), custodian=SealedCustodian(Plaintext(), ring="default"))


def test_every_setting_reaches_the_engine(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        FileKeyProvider(
            tmp_path,
            ring="",
            algorithm="none",
            policy=RotationPolicy(publish_ahead=timedelta(seconds=1)),
            refresh_interval=timedelta(0),
            max_clock_skew=timedelta(seconds=-1),
        )
    for setting in ("ring", "algorithm", "refresh_interval", "max_clock_skew"):
        assert setting in str(caught.value)


def test_making_one_touches_nothing(tmp_path):
    assert FileKeyProvider(tmp_path / "keys").max_token_age == timedelta(days=1)
    assert not (tmp_path / "keys").exists()


async def test_a_damaged_ring_is_an_outage_and_stays_as_it_is(tmp_path):
    await signed_by(tmp_path)
    (tmp_path / "default.ring").write_bytes(b"damaged")
    with pytest.raises(KeyProviderError, match="is no key ring that this version reads"):
        await signed_by(tmp_path)
    assert (tmp_path / "default.ring").read_bytes() == b"damaged"
