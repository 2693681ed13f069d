"""Two custodians as one: keys are made by the new one, and each is used by the one that has it."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest

from mintkey.errors import ConfigurationError, KeyProviderError, UnsupportedOperationError
from mintkey.keys import KeyMaterial, MovingCustodian, Plaintext, SealedCustodian, Sealer
from mintkey.keys.ports import KeyCustodian
from tests.support.ring_faults import FaultyCustodian
from tests.unit.keys.test_spare_keys import Elsewhere


class Swept(Elsewhere):
    async def sweep(self, in_use: Collection[KeyMaterial], /, *, older_than: timedelta) -> Sequence[str]:
        return [f"{len(in_use)} in use, {older_than.days} days"]


def first_made(*kids: str) -> MovingCustodian:
    return MovingCustodian(FaultyCustodian(), FaultyCustodian(), is_old=lambda material: material.kid in kids)


async def test_a_sealed_ring_moves_elsewhere_without_a_word() -> None:
    old, new = SealedCustodian(Plaintext(), ring="default"), Elsewhere()
    moving = MovingCustodian(new, old)
    before = await old.create("EdDSA")
    assert len(await (await moving.open(before)).sign(b"input")) == 64
    after = await moving.create("EdDSA")
    assert new.created == [after.kid]
    await moving.destroy(after)
    await moving.destroy(before)
    assert new.destroyed == [after.kid]


def test_it_shows_both() -> None:
    sealed = SealedCustodian(Plaintext(), ring="default")
    assert repr(MovingCustodian(sealed, sealed, is_old=lambda _: True)).count("ring='default'") == 2


async def test_each_key_is_asked_of_the_one_who_has_it() -> None:
    new, old = FaultyCustodian(), FaultyCustodian()
    before, after = await old.create("EdDSA"), await new.create("EdDSA")
    moving = MovingCustodian(new, old, is_old=lambda material: material.kid == before.kid)
    for material in (before, after):
        await moving.open(material)
        await moving.destroy(material)
    assert (old.destroyed, new.destroyed) == ([before.kid], [after.kid])
    assert old.calls["open"] == new.calls["open"] == 1


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (FaultyCustodian(), FaultyCustodian()),
        (SealedCustodian(Plaintext(), ring="a"), SealedCustodian(Plaintext(), ring="b")),
        (SealedCustodian(Plaintext(), ring="a"), FaultyCustodian()),
    ],
)
def test_where_it_does_not_show_it_has_to_be_said(new: KeyCustodian, old: KeyCustodian) -> None:
    with pytest.raises(ConfigurationError, match="is_old is needed"):
        MovingCustodian(new, old)
    MovingCustodian(new, old, is_old=lambda _: True)


async def test_what_is_sealed_is_sealed_anew_and_the_rest_stays() -> None:
    first, second = Sealer.generate_key(), Sealer.generate_key()
    before = await SealedCustodian(Sealer([first]), ring="default").create("EdDSA")
    new = Elsewhere()
    moving = MovingCustodian(new, SealedCustodian(Sealer([second, first]), ring="default"))
    after = await moving.create("EdDSA")
    assert await moving.rewrap(after) is after
    anew = await moving.rewrap(before)
    assert (anew.kid, anew.handle == before.handle) == (before.kid, False)
    await SealedCustodian(Sealer([second]), ring="default").open(anew)
    with pytest.raises(KeyProviderError):
        await SealedCustodian(Sealer([first]), ring="default").open(anew)


async def test_whoever_can_be_swept_is() -> None:
    sealed = SealedCustodian(Plaintext(), ring="default")
    day = timedelta(days=1)
    assert await MovingCustodian(Swept(), sealed).sweep([], older_than=day) == ["0 in use, 1 days"]
    both = MovingCustodian(Swept(), Swept(), is_old=lambda _: True)
    assert len(await both.sweep([], older_than=day)) == 2
    with pytest.raises(UnsupportedOperationError, match="neither custodian"):
        await first_made().sweep([], older_than=day)


async def test_leaving_it_closes_both_unless_somebody_entered_them() -> None:
    new, old = Elsewhere(), Elsewhere()
    async with new, MovingCustodian(new, old, is_old=lambda _: True):
        pass
    assert (new.closings, old.closings) == (1, 1)
    async with new:
        await MovingCustodian(new, FaultyCustodian(), is_old=lambda _: True).aclose_unless_open()
        assert new.closings == 1
