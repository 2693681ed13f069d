"""Tokens of PyJWT stay valid while new ones are minted here: the guide's code, beside the real PyJWT."""

import hashlib
import json
import re
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import mintkey
import mintkey.keys
from mintkey import ConfigurationError, InvalidTokenError, TokenService, TokenVerifier
from mintkey.keys import Sealer
from tests.docs.page import Page

PAGE = Page("migrate-from-pyjwt")
KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
SECRET = hashlib.sha256(b"some secret").digest()


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
async def tokens(guide: SimpleNamespace, tmp_path: Path) -> AsyncIterator[TokenService]:
    async with guide.service(f"sqlite:///{tmp_path / 'app.db'}", Sealer.generate_key()) as tokens:
        yield tokens


@pytest.fixture(scope="module")
def old_jwks() -> dict[str, Any]:
    """As the guide says: PyJWT's own JWK, with the kid added."""
    jwk = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(KEY.public_key(), as_dict=True)
    return {"keys": [{**jwk, "kid": "2026-01"}]}


@pytest.fixture
def old(guide: SimpleNamespace, old_jwks: dict[str, Any]) -> TokenVerifier:
    verifier: TokenVerifier = guide.old_verifier(old_jwks)
    return verifier


async def test_both_kinds_of_tokens_are_accepted(guide: Any, tokens: TokenService, old: TokenVerifier) -> None:
    before, after = guide.old_token("20", PRIVATE), await guide.token_for(tokens, "21")
    assert guide.old_user(before, PUBLIC) == "20"
    assert await guide.user_of(tokens, after) == "21"
    assert [await guide.user_of_both(tokens, old, token) for token in (before, after)] == ["20", "21"]


async def test_an_old_key_vouches_for_old_tokens_only(guide: Any, tokens: TokenService, old: TokenVerifier) -> None:
    now = datetime.now(UTC)
    claims = {"iss": guide.ISSUER, "aud": guide.AUDIENCE, "sub": "20", "jti": "1", "iat": now, "exp": now}
    disguised = jwt.encode(
        {**claims, "exp": now + guide.ACCESS.lifetime}, PRIVATE, "ES256", {"kid": "2026-01", "typ": "at+jwt"}
    )
    with pytest.raises(InvalidTokenError) as caught:
        await guide.user_of_both(tokens, old, disguised)
    assert caught.value.reason == "purpose_mismatch"


async def test_an_old_token_is_refused_when_its_hour_is_over(guide: Any, old: TokenVerifier) -> None:
    issued = datetime.now(UTC) - guide.OLD.lifetime * 1.5
    claims = {"iss": guide.ISSUER, "aud": guide.AUDIENCE, "sub": "20", "iat": issued}
    for lifetime in (guide.OLD.lifetime, guide.OLD.lifetime * 100):
        with pytest.raises(InvalidTokenError) as caught:
            await old.verify(
                jwt.encode({**claims, "exp": issued + lifetime}, PRIVATE, "ES256", {"kid": "2026-01"}), guide.OLD
            )
        assert caught.value.reason == "expired"


async def test_others_who_use_pyjwt_follow_both_sets(
    guide: Any, tokens: TokenService, old_jwks: dict[str, Any]
) -> None:
    keys = jwt.PyJWKSet.from_dict(await guide.both_sets(tokens, old_jwks))
    for token in (guide.old_token("20", PRIVATE), await guide.token_for(tokens, "20")):
        key = keys[jwt.get_unverified_header(token)["kid"]]
        decoded = jwt.decode(token, key, algorithms=["ES256"], issuer=guide.ISSUER, audience=guide.AUDIENCE)
        assert decoded["sub"] == "20"


async def test_secrets_with_a_kid(guide: Any) -> None:
    token = _encoded(guide, SECRET, "HS256", kid="2026-01")
    verifier = guide.old_secret_verifier(SECRET, "2026-01")
    assert (await verifier.verify(token, guide.OLD)).subject == "20"
    with pytest.raises(ConfigurationError, match="32 bytes"):
        guide.old_secret_verifier(SECRET[:31], "2026-01")


async def test_tokens_without_a_kid_stay_with_pyjwt(guide: Any, tokens: TokenService) -> None:
    nameless = _encoded(guide, SECRET, "HS256")
    new = await guide.token_for(tokens, "21")
    assert [await guide.user_of_any(tokens, SECRET, token) for token in (nameless, new)] == ["20", "21"]
    forged = _encoded(guide, SECRET[::-1], "HS256")
    hostile = ["", "x", "a.b.c", nameless[:-2], "é" + nameless, f"{new}.{new}", "." * 50, nameless + "\ud800"]
    for token in [forged, *hostile]:
        with pytest.raises(InvalidTokenError) as caught:
            await guide.user_of_any(tokens, SECRET, token)
        assert caught.value.status_code == 401


# What is refused: PyJWT accepts each of these, mintkey says what the table says.


def _encoded(guide: Any, key: Any, algorithm: str, *, kid: str | None = None, **changed: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": guide.ISSUER, "aud": guide.AUDIENCE, "sub": "20", "iat": now, "exp": now + 60, **changed}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({name: claims[name] for name in claims if claims[name] is not None}, key, algorithm, headers)


def _with_header(guide: Any, **header: Any) -> str:
    payload = jwt.decode_complete(_encoded(guide, PRIVATE, "ES256"), options={"verify_signature": False})["payload"]
    return jwt.encode(payload, PRIVATE, "ES256", {"kid": "2026-01", **header})


def _with_a_name_twice(guide: Any) -> str:
    payload = jwt.decode_complete(_encoded(guide, PRIVATE, "ES256"), options={"verify_signature": False})["payload"]
    text = json.dumps(payload).replace('"sub"', '"sub": "admin", "sub"')
    return jwt.PyJWS().encode(text.encode(), PRIVATE, "ES256", {"kid": "2026-01", "typ": "JWT"})


REFUSED = {
    "no `exp`": lambda guide: _encoded(guide, PRIVATE, "ES256", kid="2026-01", exp=None),
    "no `iat`": lambda guide: _encoded(guide, PRIVATE, "ES256", kid="2026-01", iat=None),
    "no `jti`": lambda guide: _encoded(guide, PRIVATE, "ES256", kid="2026-01"),
    "no `typ`, or another one": lambda guide: _with_header(guide, typ="at+jwt"),
    "no `kid`": lambda guide: _encoded(guide, PRIVATE, "ES256"),
    "a `kid` with other characters than `A–Z a–z 0–9 . _ ~ -`": lambda guide: _with_header(guide, kid="key/1"),
    "another member in the header": lambda guide: _with_header(guide, tenant="a"),
    "`exp` as text": lambda guide: _encoded(guide, PRIVATE, "ES256", kid="2026-01", exp="9999999999"),
    "a name twice in the payload": _with_a_name_twice,
}
TOLD = {what: re.findall(r"`(\w+)`", told)[0] for what, told in PAGE.rows("What is refused")[1:]}


def test_every_row_is_tried() -> None:
    assert set(TOLD) - set(REFUSED) == {"a secret of fewer than 32 bytes"}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_refused(guide: Any, old: TokenVerifier, what: str) -> None:
    token = REFUSED[what](guide)
    assert guide.old_user(token, PUBLIC) == "20"
    strict = mintkey.Purpose("strict", typ="JWT", audience=guide.AUDIENCE, lifetime=guide.OLD.lifetime)
    with pytest.raises(InvalidTokenError) as caught:
        await old.verify(token, strict if what == "no `jti`" else guide.OLD)
    assert caught.value.reason == TOLD[what]


async def test_a_token_without_typ_is_refused_too(guide: Any, old: TokenVerifier) -> None:
    token = _with_header(guide, typ=None)
    assert "typ" not in jwt.get_unverified_header(token)
    with pytest.raises(InvalidTokenError) as caught:
        await old.verify(token, guide.OLD)
    assert caught.value.reason == "purpose_mismatch"


def test_pyjwt_takes_a_short_secret_with_a_warning_at_most() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        assert jwt.decode(jwt.encode({}, "short", "HS256"), "short", ["HS256"]) == {}


def test_every_name_of_the_first_table_exists() -> None:
    for theirs, ours in PAGE.rows("What it is called here")[1:]:
        for name in re.findall(r"`([A-Z]\w+)", theirs):
            assert hasattr(jwt, name) or hasattr(jwt.exceptions, name), name
        for name in re.findall(r"`([A-Z]\w+)[`(]", ours):
            assert hasattr(mintkey, name) or hasattr(mintkey.keys, name) or name == "PURPOSE", name


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
