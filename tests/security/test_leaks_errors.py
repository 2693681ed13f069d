"""No error quotes the key, the password, the token or the claim that it is about, nor does any error behind it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from traceback import TracebackException
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from mintkey import MintkeyError, Purpose, TokenService
from mintkey.errors import ConfigurationError, KeyProviderError
from mintkey.integrations.settings import MintkeySettings
from mintkey.jose import thumbprint, verify_compact
from mintkey.keys import EnvKeyProvider, MemoryKeyProvider, Plaintext, Sealer, StaticKeyProvider, StaticKeyResolver
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.ports import KeyMaterial
from mintkey.oauth import ClientCredentials
from mintkey.places import replay_store_of, ring_store_of
from tests.support.aftermath import told_by
from tests.support.needles import Needles, bearing_members, private_members
from tests.support.signing_keys import jwk_of, key_for

PASSWORD = "correct-horse-battery-staple"
ADDRESS = "alice.of.wonderland@example.com"
ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "HS256"]

BENT: Mapping[str, Callable[[str], Any]] = {
    "cut off": lambda text: text[:-3],
    "too long": lambda text: text + "AAAA",
    "padded": lambda text: text + "==",
    "a foreign character": lambda text: text[:20] + "!" + text[20:],
    "not ASCII": lambda text: text[:20] + "é" + text[20:],
    "half a character": lambda text: text[:20] + "\ud800" + text[20:],
    "a line break": lambda text: text[:20] + "\n" + text[20:],
    "in a list": lambda text: [text],
    "another's": lambda text: "B" + text[1:] if text[0] != "B" else "C" + text[1:],
}
SPELLED = {name: bend for name, bend in BENT.items() if name != "in a list"}


def refused(call: Callable[[], object]) -> str:
    """What can be read off the error; nothing if there is none."""
    try:
        call()
    except MintkeyError as error:
        return told_by(error)
    return ""


def loaded(keys: str) -> None:
    """A provider that was given this in a variable, and has read it."""
    asyncio.run(EnvKeyProvider({"MINTKEY_KEYS": keys}).acquire())


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_jwk_that_is_refused(algorithm: str, bend: Callable[[str], Any]) -> None:
    good = jwk_of(algorithm)
    needles = Needles(private_members(good))
    refusals = 0
    for name in sorted({"d", "p", "q", "k"} & good.keys()):
        bent = {**good, name: bend(good[name])}
        as_json = json.dumps({"keys": [bent]})
        calls: list[Callable[[], object]] = [
            partial(StaticKeyProvider, {"keys": [bent]}),
            partial(StaticKeyResolver, {"keys": [bent]}),
            partial(verify_compact, "e30.e30.e30", bent, algorithms=[algorithm]),
            partial(thumbprint, bent),
            partial(StaticKeyProvider, as_json),
            partial(loaded, as_json),
            partial(loaded, as_json[:-2]),
            partial(StaticKeyProvider, as_json + "}"),
            partial(StaticKeyProvider, as_json.encode("utf-8", "surrogatepass") + b"\xff"),
            partial(StaticKeyProvider, as_json.replace('"kty"', '"kid": 1, "kty"')),
        ]
        for call in calls:
            told = refused(call)
            assert needles.found_in(told) == set()
            refusals += bool(told)
    assert refusals > 3


@pytest.mark.parametrize("bend", SPELLED.values(), ids=SPELLED)
@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_pem_that_is_refused(algorithm: str, bend: Callable[[str], str], tmp_path) -> None:
    private = key_for(algorithm).private
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    head, body, foot = pem.partition("\n")[0], "".join(pem.split("\n")[1:-2]), pem.strip().rpartition("\n")[2]
    needles = Needles(private_members(jwk_of(algorithm)))
    file = tmp_path / "key.pem"
    for text in (
        f"{head}\n{bend(body)}\n{foot}",
        f"{head}\n{bend(body)}",
        f"{bend(body)}\n{foot}",
        f"{head.replace('PRIVATE', 'ENCRYPTED PRIVATE')}\n{body}\n{foot.replace('PRIVATE', 'ENCRYPTED PRIVATE')}",
        f"{head.replace('PRIVATE', 'PUBLIC')}\n{body}\n{foot.replace('PRIVATE', 'PUBLIC')}",
        f"{head}\n{body[::-1]}\n{foot}",
        body,
        bend(body),
    ):
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        for setting in (text, str(file)):
            told = refused(partial(loaded, setting))
            assert needles.found_in(told) == set()
    assert refused(lambda: loaded(body))


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT)
def test_a_key_encryption_key_that_is_refused(bend: Callable[[str], Any]) -> None:
    key = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
    needles = Needles({"key": key})
    for call in (
        lambda: Sealer([bend(key)]),
        lambda: Sealer([key, bend(key)]),
        lambda: Sealer(bend(key)),
        lambda: MintkeySettings(issuer="i", store=SecretStr("memory://"), seal_keys=bend(key)),
        lambda: MintkeySettings(issuer="i", store=SecretStr("memory://"), seal_keys=SecretStr(str(bend(key)))),
    ):
        assert needles.found_in(refused(call)) == set()
    assert refused(lambda: Sealer(key))


URLS = [
    f"redis://user:{PASSWORD}/staple@127.0.0.1/0",  # the slash ends the host, and what should be its port is quoted
    f"postgresql://127.0.0.1:{PASSWORD}/database",
    f"redis+sentinel://user:{PASSWORD}/staple@one,two/main",
    f"postgresql://user:{PASSWORD}/staple@127.0.0.1/database",
    f"redis://:{PASSWORD}@127.0.0.1:port/0",
    f"redis://127.0.0.1/0/{PASSWORD}",
    f"redis://127.0.0.1/0?socket_timeout={PASSWORD}",
    f"redis://{PASSWORD}@[::1/0",
    f"rediss+cluster://:{PASSWORD}@one,two/7",
    f"redis+sentinel://:{PASSWORD}@one,two/",
    f"redis+sentinel://:{PASSWORD}@one:x/main",
    f"redis+nothing://:{PASSWORD}@one",
    f"postgresql://user:{PASSWORD}@127.0.0.1:port/database",
    f"postgresql://user@127.0.0.1/database?password={PASSWORD}",
    f"postgresql://user@127.0.0.1/database?sslmode={PASSWORD}",
    f"postgresql+nothing://user:{PASSWORD}@127.0.0.1/database",
    f"mysql://user:{PASSWORD}@127.0.0.1/database",
    f"sqlite:///file:{PASSWORD}.db",
    f"{PASSWORD}",
]


@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_the_url_of_a_store_that_is_refused(url: str) -> None:
    needles = Needles({"password": PASSWORD})
    calls = (
        lambda: replay_store_of(url),
        lambda: ring_store_of(url),
        lambda: TokenService.from_url(url, issuer="i", sealer=Sealer([Sealer.generate_key()])),
        lambda: MintkeySettings(issuer="i", store=SecretStr(url)),
        lambda: MintkeySettings(issuer="i", store=SecretStr(url)).token_service(),
    )
    told = [refused(call) for call in calls]
    assert any(told)
    assert needles.found_in("\n".join(told)) == set()


@pytest.mark.parametrize("secret", [PASSWORD + "\n", PASSWORD + "\ud800", "\0" + PASSWORD], ids=range(3))
@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post", "none"])
def test_the_secret_of_a_client_that_is_refused(authentication: Any, secret: str) -> None:
    told = refused(lambda: ClientCredentials("https://a.example", "me", secret, authentication=authentication))
    assert told
    assert Needles({"password": PASSWORD}).found_in(told) == set()


async def test_a_stored_key_that_does_not_open() -> None:
    private = jwk_of("EdDSA")
    plain = Plaintext()
    keeper = SealedCustodian(plain, ring="default")
    needles = Needles(private_members(private))
    for content in (
        json.dumps({**private, "d": private["d"][:-3]}),
        json.dumps(private)[:-1],
        json.dumps({**private, "d": private["d"] + "é"}, ensure_ascii=False),
        json.dumps({**private, "alg": "ES256"}),
        private["d"],
    ):
        handle = plain.seal(content.encode(), aad=b"")
        for damaged in (handle, handle[:-1], handle + "!", "sealed1." + handle[7:], handle[7:]):
            material = KeyMaterial(kid=private["kid"], algorithm="EdDSA", public_jwk=None, handle=damaged)
            for custodian in (keeper, SealedCustodian(Sealer([bytes(32)]), ring="default")):
                with pytest.raises(KeyProviderError) as refusal:
                    await custodian.open(material)
                assert needles.found_in(told_by(refusal.value)) == set()
                # Nor is it in the variables of any function of ours that a tracker would show.
                ours = TracebackException.from_exception(refusal.value, capture_locals=True).stack[1:]
                assert len(ours) > 0
                assert needles.found_in(repr([frame.locals for frame in ours])) == set()


class TypedForm(TypedDict):
    email: int


@dataclass
class DataForm:
    email: int


class StructForm(msgspec.Struct):
    email: int


class ModelForm(pydantic.BaseModel):
    email: int


@pytest.mark.parametrize("form", [TypedForm, DataForm, StructForm, ModelForm], ids=lambda form: form.__name__)
async def test_a_claim_that_does_not_fit(form: type[Any]) -> None:
    tokens = TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider())
    as_dict = Purpose("access", lifetime=timedelta(minutes=1))
    token = await tokens.mint(as_dict, subject=ADDRESS, claims={"email": ADDRESS})
    needles = Needles({"address": ADDRESS, **bearing_members("it", token)})
    with pytest.raises(MintkeyError) as refusal:
        await tokens.verify(token, as_dict.replace(claims=form))
    assert needles.found_in(told_by(refusal.value)) == set()
    assert refusal.value.reason == "claim_invalid"


@pytest.mark.parametrize(
    "claims",
    [
        {ADDRESS: float("nan")},
        {"email": ADDRESS + "\ud800"},
        {"email": {ADDRESS}},
        {"email": [{"deep": ADDRESS.encode()}]},
        {"sub": ADDRESS},
        {"email": ADDRESS, "exp": ADDRESS},
        [ADDRESS],
        ADDRESS,
    ],
    ids=range(8),
)
async def test_a_claim_that_cannot_be_minted(claims: Any) -> None:
    tokens = TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider())
    with pytest.raises(ConfigurationError) as refusal:
        await tokens.mint(Purpose("access", lifetime=timedelta(minutes=1)), subject=ADDRESS, claims=claims)
    # The name of a claim is no value of it; here it only is one to see the test bite.
    assert Needles({"address": ADDRESS}).found_in(told_by(refusal.value)) <= (
        {"address"} if isinstance(claims, dict) and ADDRESS in claims else set()
    )


HARMS: Mapping[str, Callable[[str], Any]] = {
    "cut off": lambda token: token[:-5],
    "padded": lambda token: token + "==",
    "another signature": lambda token: token[:-20] + "A" * 20,
    "not ASCII": lambda token: token + "é",
    "half a character": lambda token: token[:-9] + "\ud800" + token[-9:],
    "a space": lambda token: token + " ",
    "bytes": lambda token: token.encode(),
    "in a list": lambda token: [token],
    "four parts": lambda token: token + ".e30",
    "twice": lambda token: token * 2,
    "too long": lambda token: token + token[-1] * 20_000,
    "its payload as a header": lambda token: ".".join([token.split(".")[1]] * 3),
    "no header": lambda token: "." + token.partition(".")[2],
    "another header": lambda token: "e30." + token.partition(".")[2],
    "as it is": lambda token: token,
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
async def test_a_token_that_is_refused(harm: Callable[[str], Any]) -> None:
    tokens = TokenService(issuer="https://myapp.example", keys=MemoryKeyProvider())
    purpose = Purpose("access", lifetime=timedelta(minutes=1))
    token = await tokens.mint(purpose, subject=ADDRESS, claims={"email": ADDRESS})
    needles = Needles({"address": ADDRESS, **bearing_members("it", token)})
    other = purpose.replace(audience="somebody.else")
    for call in (tokens.peek, tokens.verify):
        with pytest.raises(MintkeyError) as refusal:
            await call(harm(str(token)), other)
        assert needles.found_in(told_by(refusal.value)) == set()
