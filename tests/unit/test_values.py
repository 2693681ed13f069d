"""What is handed from one part to another is a value: nobody changes it behind somebody else's back."""

import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module

import pytest

import mintkey

RECORDS = {
    "mintkey.cli.demo.stage.Stage",
    "mintkey.keys.blocks.MintBlock",
    "mintkey.keys.custodians.pkcs11_sessions.OwnSession",
    "mintkey.keys.custodians.pkcs11_sessions._Pool",
    "mintkey.keys.minting._Tally",
    "mintkey.keys.stores.memory._Entry",
}
"""What has one owner who counts in it."""


def dataclasses() -> Iterator[type]:
    for module in pkgutil.walk_packages(mintkey.__path__, "mintkey."):
        try:
            members = vars(import_module(module.name))
        except ImportError:
            continue  # an extra that is not here; where all are, none is left out
        for member in members.values():
            if isinstance(member, type) and is_dataclass(member) and member.__module__ == module.name:
                yield member


DATACLASSES = [pytest.param(kind, id=f"{kind.__module__}.{kind.__qualname__}") for kind in dataclasses()]


@pytest.mark.parametrize("kind", DATACLASSES)
def test_a_dataclass_has_slots_and_is_frozen_unless_it_is_a_record(kind: type) -> None:
    assert "__slots__" in vars(kind)
    is_frozen = kind.__dict__["__dataclass_params__"].frozen
    assert is_frozen == (f"{kind.__module__}.{kind.__qualname__}" not in RECORDS)


def test_most_of_them_are_found() -> None:
    assert len(DATACLASSES) > 80
