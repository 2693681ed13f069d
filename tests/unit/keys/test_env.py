"""Keys from the environment: found in whatever state they are, and every problem named by its variable."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from mintkey.errors import ConfigurationError, UnsupportedOperationError
from mintkey.jose import jwk
from mintkey.keys import key_sources
from mintkey.keys.env import EnvKeyProvider
from tests.support.broken_pem import BROKEN, pem_of

ONE, TWO = jwk.generate("EdDSA"), jwk.generate("ES256")
SECRET = jwk.generate("HS256")
ED, EC, RSA = pem_of("Ed25519"), pem_of("EC"), pem_of("RSA")
ED_KID, EC_KID, RSA_KID = (jwk.load_pem(pem, source="test").kid for pem in (ED, EC, RSA))
PUBLIC_ED = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""


def text_of(*keys: Mapping[str, Any] | None) -> str:
    return json.dumps({"keys": [dict(key or {}) for key in keys]})


async def kids(provider: EnvKeyProvider) -> list[str]:
    return [version.kid for version in await provider.versions()]


def problems_of(environ: Mapping[str, str], **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        EnvKeyProvider(environ, **settings)
    return problems_in(caught.value, environ)


async def problems_at_first_use(environ: Mapping[str, str]) -> str:
    provider = EnvKeyProvider(environ)
    with pytest.raises(ConfigurationError) as caught:
        await provider.acquire()
    return problems_in(caught.value, environ)


def problems_in(error: ConfigurationError, environ: Mapping[str, str]) -> str:
    shown = f"{error} {error.details}"
    for name, value in environ.items():
        if "KEYS" in name or "PRIVATE" in name:
            assert value.strip() == "" or value not in shown, f"the error shows the content of {name}"
    return str(error)


# Where keys come from


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(("pem", "kid"), [(ED, ED_KID), (EC, EC_KID)], ids=["Ed25519", "EC"])
async def test_a_pem_in_any_state(pem, kid, damage):
    grant = await EnvKeyProvider({"MINTKEY_KEYS": damage(pem)}).acquire()
    assert grant.key.kid == kid
    assert await grant.key.sign(b"input")


async def test_a_private_rsa_key_is_loaded_in_a_thread_at_the_first_use():
    provider = EnvKeyProvider({"MINTKEY_KEYS": RSA.replace("\n", r"\n")})
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(provider.acquire)
    grant = await provider.acquire()
    assert (grant.key.kid, grant.key.algorithm) == (RSA_KID, "RS256")


@pytest.mark.parametrize(
    "form", [lambda key: text_of(key.private_jwk), lambda key: json.dumps(dict(key.private_jwk))], ids=["set", "one"]
)
async def test_jwks(form):
    for key in (ONE, TWO, SECRET):
        assert await kids(EnvKeyProvider({"MINTKEY_KEYS": form(key)})) == [key.kid]


async def test_a_private_rsa_jwk():
    key = jwk.generate("PS256", rsa_bits=2048)
    provider = EnvKeyProvider({"MINTKEY_KEYS": text_of(key.private_jwk)})
    async with provider as entered:
        assert (await entered.acquire()).key.algorithm == "PS256"


async def test_several_pem_keys_in_one_variable():
    provider = EnvKeyProvider({"MINTKEY_KEYS": ED + EC, "MINTKEY_ACTIVE_KID": EC_KID})
    assert await kids(provider) == [EC_KID, ED_KID]


@pytest.mark.parametrize("content", [ED, ED.replace("\n", r"\n"), text_of(ONE.private_jwk)])
async def test_a_file(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    provider = EnvKeyProvider({"MINTKEY_KEYS": f" {path}\n"})
    assert (await provider.acquire()).count == 1


async def test_a_directory(tmp_path):
    # As Kubernetes mounts a secret: links to files in a hidden directory.
    hidden = tmp_path / "..2026_01_01"
    hidden.mkdir()
    (hidden / "old.pem").write_text(ED)
    (hidden / "new.jwks").write_text(text_of(TWO.private_jwk))
    (tmp_path / "..data").symlink_to(hidden)
    for name in ("old.pem", "new.jwks"):
        (tmp_path / name).symlink_to(Path("..data", name))
    provider = EnvKeyProvider({"MINTKEY_KEYS": str(tmp_path), "MINTKEY_ACTIVE_KID": TWO.kid})
    assert await kids(provider) == [TWO.kid, ED_KID]


async def test_a_path_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key.pem").write_text(ED)
    assert await kids(EnvKeyProvider({"MINTKEY_KEYS": "~/key.pem"})) == [ED_KID]


async def test_a_public_key_beside_its_private_half_is_the_same_key(tmp_path):
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(ED.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for order in (f"{ED}{public.decode()}", f"{public.decode()}{ED}"):
        assert (await EnvKeyProvider({"MINTKEY_KEYS": order}).acquire()).key.kid == ED_KID


async def test_the_real_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("MINTKEY_KEYS", ED)
    assert await kids(EnvKeyProvider()) == [ED_KID]


async def test_the_prefix_is_the_callers():
    assert await kids(EnvKeyProvider({"APP_KEYS": ED + EC, "APP_ACTIVE_KID": ED_KID}, prefix="APP_")) == [
        ED_KID,
        EC_KID,
    ]


# tokenmint's variables


async def test_tokenmints_variables_and_kids():
    provider = EnvKeyProvider(
        {
            "TOKEN_ACTIVE_KEY_ID": "2025-08-rot-1",
            "TOKEN_PRIVATE_KEY_2025-08-rot-1": ED,
            "TOKEN_PRIVATE_KEY_2025-05-rot-0": EC,
        }
    )
    assert await kids(provider) == ["2025-08-rot-1", "2025-05-rot-0"]
    grant = await provider.acquire()
    assert (await provider.resolve("2025-08-rot-1")).verify(b"input", await grant.key.sign(b"input"))


async def test_both_sets_of_variables_together():
    # Moving over: new tokens by the new key, old ones verify.
    environ = {"MINTKEY_KEYS": EC, "MINTKEY_ACTIVE_KID": EC_KID, "TOKEN_PRIVATE_KEY_v1": ED}
    assert await kids(EnvKeyProvider(environ)) == [EC_KID, "v1"]
    assert await kids(EnvKeyProvider(environ | {"TOKEN_ACTIVE_KEY_ID": EC_KID})) == [EC_KID, "v1"]


def test_two_variables_that_name_different_active_keys_are_refused():
    environ = {"TOKEN_PRIVATE_KEY_a": ED, "TOKEN_ACTIVE_KEY_ID": "a", "MINTKEY_ACTIVE_KID": "b"}
    assert "MINTKEY_ACTIVE_KID and TOKEN_ACTIVE_KEY_ID" in problems_of(environ)


# Which key signs


async def test_the_argument_says_it_louder_than_the_variable():
    environ = {"MINTKEY_KEYS": ED + EC, "MINTKEY_ACTIVE_KID": ED_KID, "TOKEN_ACTIVE_KEY_ID": EC_KID}
    assert (await kids(EnvKeyProvider(environ, active=EC_KID)))[0] == EC_KID


@pytest.mark.parametrize(
    ("environ", "settings", "setting"),
    [
        ({"MINTKEY_KEYS": ED + EC}, {}, "MINTKEY_ACTIVE_KID must name"),
        ({"MINTKEY_KEYS": ED + EC, "MINTKEY_ACTIVE_KID": " "}, {}, "MINTKEY_ACTIVE_KID must name"),
        ({"MINTKEY_KEYS": ED, "MINTKEY_ACTIVE_KID": "b"}, {}, "MINTKEY_ACTIVE_KID names no key"),
        ({"MINTKEY_KEYS": ED}, {"active": "b"}, "EnvKeyProvider.active names no key"),
        ({"TOKEN_PRIVATE_KEY_a": ED, "TOKEN_ACTIVE_KEY_ID": "b"}, {}, "TOKEN_ACTIVE_KEY_ID names no key"),
        ({"MINTKEY_KEYS": PUBLIC_ED}, {}, "MINTKEY_KEYS holds no key that can sign"),
    ],
)
def test_it_must_be_clear_which_key_signs(environ, settings, setting):
    assert setting in problems_of(environ, **settings)


@pytest.mark.parametrize(("algorithm", "expected"), [(None, "RS256"), ("PS384", "PS384")])
async def test_the_algorithm_of_a_key_that_does_not_say(algorithm, expected):
    provider = EnvKeyProvider({"MINTKEY_KEYS": RSA}, algorithm=algorithm)
    assert (await provider.acquire()).key.algorithm == expected


# What is refused


def test_no_keys_at_all():
    for environ in ({}, {"MINTKEY_KEYS": ""}, {"MINTKEY_KEYS": " \n"}, {"TOKEN_ACTIVE_KEY_ID": "a"}):
        assert "set MINTKEY_KEYS" in problems_of(environ)


@pytest.mark.parametrize("name", ["MINTKEY_KEYS", "TOKEN_PRIVATE_KEY_a"])
@pytest.mark.parametrize("value", ["changeme", "<your-private-key>", "${KEY}", "'TODO'", "your-ed25519-key"])
def test_placeholders(name, value):
    assert f"{name} still holds a placeholder" in problems_of({name: value})


def test_placeholder_secrets():
    key = {"kty": "oct", "kid": "a", "alg": "HS256", "k": "Y2hhbmdlbWUtY2hhbmdlbWUtY2hhbmdlbWUtY2hhbmdlbWU"}
    assert "MINTKEY_KEYS" in problems_of({"MINTKEY_KEYS": json.dumps(key)})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("s3cr3t-garbage", "MINTKEY_KEYS is not a JWK Set"),
        (ED[:70], "MINTKEY_KEYS holds a PEM that is cut off"),
        (ED.replace("MC4", "MC5"), "MINTKEY_KEYS: not a PEM key"),
        ("{" + ED[30:80], "MINTKEY_KEYS: "),
        ('{"keys": 7}', "MINTKEY_KEYS: not a JWK Set"),
        ('{"keys": [1, {}]}', "MINTKEY_KEYS, key 2"),
        ('{"keys": []}', "MINTKEY_KEYS holds no key"),
        ('{"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2hvcnQ"}', "MINTKEY_KEYS: a secret for HS256 must have"),
        ('{"kty": "XX"}', "MINTKEY_KEYS: kty"),
        ("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----", "MINTKEY_KEYS holds no key"),
    ],
)
def test_what_is_no_key(value, problem):
    assert problem in problems_of({"MINTKEY_KEYS": value})


def test_a_path_is_only_for_the_variable_that_takes_one(tmp_path):
    (tmp_path / "key").write_text(ED)
    assert "TOKEN_PRIVATE_KEY_a is not a PEM or a JWK" in problems_of({"TOKEN_PRIVATE_KEY_a": str(tmp_path / "key")})


def test_kids_that_cannot_be_one():
    for kid in ("", "a b", "x" * 129):
        assert f"TOKEN_PRIVATE_KEY_{kid}" in problems_of({f"TOKEN_PRIVATE_KEY_{kid}": ED, "MINTKEY_KEYS": EC})


def test_two_keys_of_one_kid():
    own = text_of({**(ONE.private_jwk or {}), "kid": "a"})
    found = problems_of({"MINTKEY_KEYS": own, "TOKEN_PRIVATE_KEY_a": ED, "MINTKEY_ACTIVE_KID": "a"})
    assert "TOKEN_PRIVATE_KEY_a holds a key with the kid 'a'" in found


def test_two_secrets_of_one_kid():
    assert "another key has already" in problems_of({"MINTKEY_KEYS": text_of(SECRET.private_jwk, SECRET.private_jwk)})


def test_secrets_beside_public_keys():
    found = problems_of({"MINTKEY_KEYS": text_of(SECRET.private_jwk, ONE.private_jwk), "MINTKEY_ACTIVE_KID": ONE.kid})
    assert "MINTKEY_KEYS holds secrets beside public keys" in found


def test_an_algorithm_that_nobody_knows():
    assert "EnvKeyProvider.algorithm" in problems_of({"MINTKEY_KEYS": ED}, algorithm="none")


def test_all_problems_come_at_once():
    found = problems_of(
        {
            "MINTKEY_KEYS": "changeme",
            "TOKEN_PRIVATE_KEY_a": "",
            "TOKEN_PRIVATE_KEY_b": "garbage",
            "TOKEN_PRIVATE_KEY_c": ED[:50],
            "MINTKEY_ACTIVE_KID": "a",
            "TOKEN_ACTIVE_KEY_ID": "b",
        },
        algorithm="none",
    )
    assert len(found.split("; ")) >= 6
    for name in ("MINTKEY_KEYS", "TOKEN_PRIVATE_KEY_a", "TOKEN_PRIVATE_KEY_b", "TOKEN_PRIVATE_KEY_c", "algorithm"):
        assert name in found


def test_all_broken_keys_come_at_once():
    broken = ED.replace("MC4", "MC5")
    found = problems_of({"TOKEN_PRIVATE_KEY_a": broken, "TOKEN_PRIVATE_KEY_b": broken, "MINTKEY_KEYS": broken + broken})
    for name in ("TOKEN_PRIVATE_KEY_a", "TOKEN_PRIVATE_KEY_b", "MINTKEY_KEYS, key 1", "MINTKEY_KEYS, key 2"):
        assert name in found


# What is found out at the first use


async def test_a_path_that_names_nothing(tmp_path):
    assert "MINTKEY_KEYS names no file" in await problems_at_first_use({"MINTKEY_KEYS": str(tmp_path / "gone")})


async def test_all_broken_files_of_a_directory_come_at_once(tmp_path):
    (tmp_path / "a").write_text(ED[:60])
    (tmp_path / "b").write_text("garbage")
    (tmp_path / "c").write_text(ED)
    found = await problems_at_first_use({"MINTKEY_KEYS": str(tmp_path)})
    assert "file 'a' of MINTKEY_KEYS" in found
    assert "file 'b' of MINTKEY_KEYS" in found


async def test_an_empty_directory(tmp_path):
    assert "MINTKEY_KEYS holds no key" in await problems_at_first_use({"MINTKEY_KEYS": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "neither JSON nor PEM"),
        (b"/etc/passwd", "neither JSON nor PEM"),
        (b"\xff\xfe\x00", "neither JSON nor PEM"),
        (ED[:60].encode(), "cut off"),
        (ED.replace("MC4", "MC5").encode(), "not a PEM key"),
        (bytes(2000), "too large"),
    ],
)
async def test_a_file_that_holds_no_key(tmp_path, monkeypatch, content, problem):
    monkeypatch.setattr(key_sources, "_MAX_FILE_BYTES", 1999)
    path = tmp_path / "key"
    path.write_bytes(content)
    assert problem in await problems_at_first_use({"MINTKEY_KEYS": str(path)})
    # In a directory the file is named, because the variable alone would not help to find it.
    assert "file 'key' of MINTKEY_KEYS" in await problems_at_first_use({"MINTKEY_KEYS": str(tmp_path)})


async def test_a_file_that_never_ends(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "names no file" in await problems_at_first_use({"MINTKEY_KEYS": str(tmp_path / "fifo")})


async def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "key").write_text(ED)

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    for step, path, problem in (
        ("open", tmp_path / "key", "the file of MINTKEY_KEYS cannot be read"),
        ("iterdir", tmp_path, "MINTKEY_KEYS names a file or directory that cannot be read"),
    ):
        monkeypatch.setattr(Path, step, fail)
        assert problem in await problems_at_first_use({"MINTKEY_KEYS": str(path)})


async def test_a_home_directory_that_nobody_has():
    assert "cannot be read" in await problems_at_first_use({"MINTKEY_KEYS": "~nobody-of-this-name/key"})


async def test_entering_finds_problems_too(tmp_path):
    with pytest.raises(ConfigurationError, match="MINTKEY_KEYS"):
        await EnvKeyProvider({"MINTKEY_KEYS": str(tmp_path / "gone")}).__aenter__()


async def test_a_file_that_was_put_right_is_loaded_by_the_next_call(tmp_path):
    provider = EnvKeyProvider({"MINTKEY_KEYS": str(tmp_path / "key")})
    with pytest.raises(ConfigurationError):
        await provider.acquire()
    (tmp_path / "key").write_text(ED)
    assert (await provider.acquire()).key.kid == ED_KID


# What it tells


async def test_nobody_shows_a_key():
    provider = EnvKeyProvider({"MINTKEY_KEYS": ED, "TOKEN_PRIVATE_KEY_a": EC}, active="a")
    assert repr(provider) == "<EnvKeyProvider of MINTKEY_KEYS and TOKEN_PRIVATE_KEY_a>"
    slow = EnvKeyProvider({"MINTKEY_KEYS": RSA})
    assert RSA[40:60] not in repr(vars(slow))
    await slow.acquire()
    assert RSA[40:60] not in repr(vars(slow))


async def test_its_operator_rotates():
    with pytest.raises(UnsupportedOperationError, match="EnvKeyProvider is rotated by its operator"):
        await EnvKeyProvider({"MINTKEY_KEYS": ED}).rotate()
