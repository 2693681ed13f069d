"""The command line tells no password, key or token that it was not asked for, on whatever it prints."""

import os
import subprocess
import sys

import pytest

from mintkey.jose import base64url
from mintkey.keys import Sealer
from tests.support.needles import Needles, bearing_members

PASSWORD = "correct-horse-battery-staple"
PERSON = "alice.of.wonderland@example.com"


def run(*arguments: str, given: str = "", **environment: str) -> tuple[int, str, str]:
    """The exit code, what is printed, and what is told beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "mintkey", *arguments],
        input=given,
        env={**os.environ, "MINTKEY_ISSUER": "https://myapp.example", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


STORES = [
    f"redis://user:{PASSWORD}@127.0.0.1:1/0",
    f"postgresql://user:{PASSWORD}@127.0.0.1:1/database",
    f"postgresql://user@127.0.0.1:1/database?sslmode=require&sslpassword={PASSWORD}",
    f"redis://user:{PASSWORD}/staple@127.0.0.1:1/0",
]


@pytest.mark.parametrize("store", STORES, ids=range(len(STORES)))
def test_a_store_that_cannot_be_reached(store: str) -> None:
    kek = Sealer.generate_key()
    needles = Needles({"password": PASSWORD, "KEK": kek, "KEK, decoded": base64url.decode(kek)})
    code, out, err = run("doctor", "--json", MINTKEY_STORE=store, MINTKEY_SEAL_KEYS=kek)
    assert code in {2, 3}
    assert out + err
    assert needles.found_in(out + err) == set()


def test_a_token_that_is_refused(tmp_path) -> None:
    kek = Sealer.generate_key()
    place = {"MINTKEY_STORE": f"sqlite:///{tmp_path / 'keys.db'}", "MINTKEY_SEAL_KEYS": kek}
    _, token, _ = run("token", "mint", "link", "--lifetime", "10m", "--subject", PERSON, **place)
    token = token.strip()
    needles = Needles({"person": PERSON, "KEK": kek, **bearing_members("the token", token)})
    assert needles.found_in(token)
    for given in (token[:-9] + "AAAAAAAAA", token + ".", token.replace(".", ".A", 1)):
        code, out, err = run("token", "verify", "link", given=given, **place)
        assert code == 1
        assert needles.found_in(out + err) == set()
