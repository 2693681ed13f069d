"""The walk-through of the guide to HSMs, in a directory of its own, with a SoftHSM of its own."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mintkey.keys import Pkcs11Custodian, Sealer
from tests.docs.page import Page
from tests.support.hsm import softhsm_module

PAGE = Page("pkcs11")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "12345678"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user is, with the program of the page."""
    directory = tmp_path_factory.mktemp("user")
    source = "\n\n".join(PAGE.blocks())
    assert source.count(MODULE) == 1
    (directory / "app.py").write_text(source.replace(MODULE, str(softhsm_module())), "utf-8")
    return directory


@pytest.fixture(scope="module")
def printed(directory: Path) -> list[str]:
    _made, _slot, *lines = PAGE.shell(directory).splitlines()
    return lines


def test_the_walk_through_prints_what_the_page_says(printed: list[str]) -> None:
    (expected,) = PAGE.blocks("text")
    assert printed[0].split() == ["Label:", "tokens"]
    assert "\n".join(printed[1:5]) + "\n" == expected


def test_the_keys_are_on_the_token_and_stay_there(printed: list[str], directory: Path) -> None:
    listed = printed[5:-1]
    assert len(listed) == 3
    for line in listed:
        assert re.fullmatch(r"mintkey:default:\d{10} True False", line)
    assert b"BEGIN PRIVATE" not in (directory / "keys.db").read_bytes()
    assert PIN.encode() not in (directory / "keys.db").read_bytes()
    assert printed[-1] == "()"  # nothing was left over


def test_the_pin_is_for_one_user(printed: list[str], directory: Path) -> None:
    assert (directory / "hsm-pin").stat().st_mode & 0o777 == 0o600
    assert PIN not in "".join(printed)


def test_a_key_that_is_there_already_is_taken_over(directory: Path, printed: list[str]) -> None:
    program = f"""
import asyncio, app, pkcs11
from pkcs11.util.ec import encode_named_curve_parameters as named
with pkcs11.lib(app.MODULE).get_token(token_label="tokens").open(rw=True, user_pin="{PIN}") as session:
    curve = {{pkcs11.Attribute.EC_PARAMS: named("secp256r1")}}
    pair = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(
        label="payments", id=b"1", store=True, private_template={{pkcs11.Attribute.EXTRACTABLE: False}}
    )
asyncio.run(app.take_over("payments"))
"""
    environment = {
        **os.environ,
        "SOFTHSM2_CONF": str(directory / "softhsm2.conf"),
        "RING_KEY": Sealer.generate_key(),
    }
    (directory / "keys.db").unlink()
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "['pending', 'active']\n", done.stderr


def test_the_settings_are_those_of_the_custodian() -> None:
    settings = [row[0].strip("`") for row in PAGE.rows("Settings")[1:]]
    assert set(inspect.signature(Pkcs11Custodian).parameters) == {"module", "clock", *settings}
