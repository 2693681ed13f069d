"""Whatever comes in, only a `MintkeyError` comes out of the gate, and nothing of what came in is in it."""

import asyncio
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintkey.claims import strict_json
from mintkey.errors import MalformedTokenError, MintkeyError, SignatureError
from mintkey.jose import verify_compact
from mintkey.jose.base64url import decode, encode
from mintkey.jose.compact import HeaderCache, assemble
from mintkey.jose.jwk import check_kid, load_jwk, load_jwks, load_pem
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.jose.thumbprint import thumbprint
from mintkey.purpose import FORBIDDEN_HEADERS
from tests.support.compact import authenticate, parse, remember, signing_input
from tests.support.signing_keys import jwk_of, key_for, public_jwk_of

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

LIMIT = 2048
FAST = ["EdDSA", "ES256", "HS256"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from([*sorted(FORBIDDEN_HEADERS), "x5t", "tenant", "alg ", "KID"]) | st.text(max_size=6)
SEGMENT = st.binary(max_size=60).map(encode)


@cache
def good(algorithm) -> str:
    async def mint() -> str:
        key = signing_key(key_for(algorithm))
        text = signing_input(kid=key.kid, algorithm=algorithm, typ="login+jwt", payload=b'{"sub":"20"}')
        return assemble(text, await key.sign(text))

    return asyncio.run(mint())


def says_nothing(error: Exception, of: object = None) -> None:
    """Assert that an error neither quotes what came in nor carries the error of a parser that does."""
    assert error.__context__ is None
    if isinstance(of, str) and len(of) > 11:
        assert of not in f"{error!r} {getattr(error, 'details', '')}"


def try_everything(value: Any) -> bool:
    """Whether the token was authentic; every door is tried, and every refusal is one of ours."""
    authentic = False
    for algorithm in FAST:
        try:
            parts = parse(value, max_bytes=LIMIT, allowed_headers=["tenant", "x5t", "crit"])
            authenticate(parts, verification_key(key_for(algorithm)))
            authentic = True
        except (MalformedTokenError, SignatureError) as error:
            says_nothing(error, of=value)
        try:
            verify_compact(value, public_jwk_of(algorithm), algorithms=[algorithm])
        except (MalformedTokenError, SignatureError) as error:
            says_nothing(error, of=value)
    return authentic


@given(st.text() | st.binary() | st.none() | st.integers() | JSON)
def test_any_value(value) -> None:
    assert not try_everything(value)


@given(st.text(alphabet=st.sampled_from("eyJhbGciOi.=-_+/ \n\0é\ud800{}\"'"), max_size=80))
def test_any_text_that_looks_a_little_like_a_token(text) -> None:
    assert not try_everything(text)


@given(st.lists(SEGMENT, min_size=1, max_size=5))
def test_any_segments(segments) -> None:
    assert not try_everything(".".join(segments))


@given(JSON | st.dictionaries(MEMBERS, JSON, max_size=6), SEGMENT, SEGMENT)
def test_any_json_as_a_header(header, payload, signature) -> None:
    text = json.dumps(header).encode()
    assert not try_everything(f"{encode(text)}.{payload}.{signature}")


@given(
    alg=st.sampled_from([*FAST, "none", "RS256", "Ed25519"]) | JSON,
    kid=st.just(key_for("EdDSA").kid) | JSON,
    extra=st.dictionaries(MEMBERS, JSON, max_size=2),
)
def test_a_good_signature_does_not_help_a_bad_header(alg, kid, extra) -> None:
    """Signed by the right key: the header alone decides, and only a header that we could have made is taken."""
    header = {"alg": alg, "kid": kid, **extra}
    text = f"{encode(json.dumps(header).encode())}.{encode(b'{}')}".encode()
    token = assemble(text, asyncio.run(signing_key(key_for("EdDSA")).sign(text)))
    try:
        parts = parse(token, max_bytes=1 << 20, allowed_headers=["tenant"])
        authenticate(parts, verification_key(key_for("EdDSA")))
    except MintkeyError:
        return
    assert header["alg"] in {"EdDSA", "Ed25519"}
    assert check_kid(header["kid"])
    assert set(header) <= {"alg", "kid", "typ", "tenant"}


@given(st.sampled_from(FAST), st.integers(0, 400), st.sampled_from("AB-_.=+/ \n\0zé") | st.characters())
def test_one_changed_character(algorithm, position, character) -> None:
    token = good(algorithm)
    position %= len(token)
    bent = token[:position] + character + token[position + 1 :]
    assert try_everything(bent) is (bent == token)


@given(st.sampled_from(FAST), st.integers(0, 400), st.integers(0, 400), st.text(max_size=3))
def test_a_cut_or_stretched_token(algorithm, start, end, filling) -> None:
    token = good(algorithm)
    start, end = sorted((start % len(token), end % len(token)))
    bent = token[:start] + filling + token[end:]
    assert try_everything(bent) is (bent == token)


@given(
    st.lists(st.sampled_from([segment for name in FAST for segment in good(name).split(".")]), min_size=3, max_size=3)
)
def test_segments_of_several_tokens(segments) -> None:
    token = ".".join(segments)
    assert try_everything(token) is (token in {good(name) for name in FAST})


@given(st.lists(st.tuples(MEMBERS, st.sampled_from(["1", "2"])), max_size=4), st.booleans())
def test_a_cache_of_headers_changes_no_answer(extra, allow) -> None:
    header = {"alg": "EdDSA", "kid": "1", **dict(extra)}
    token = f"{encode(json.dumps(header).encode())}.e30.e30"
    cache = HeaderCache(max_entries=1)
    answers: list[Any] = []
    for allowed in (["tenant", "x5t"], [], ["tenant", "x5t"] if allow else []):
        for used in (cache, None):
            try:
                parts = parse(token, max_bytes=LIMIT, allowed_headers=allowed, cache=used)
            except MalformedTokenError as error:
                answers.append((allowed, error.reason))
            else:
                remember(cache, parts)
                answers.append((allowed, parts[:-1]))
    assert answers[0::2] == answers[1::2]


@given(st.binary(max_size=200))
def test_any_bytes_as_json(data) -> None:
    try:
        found = strict_json.loads(data)
    except strict_json.StrictJSONError as error:
        says_nothing(error)
    else:
        assert found == json.loads(data)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_what_is_written_is_read_again(value) -> None:
    try:
        text = strict_json.dumps(value)
    except strict_json.StrictJSONError:
        return
    assert strict_json.loads(text) == value


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_base64url_has_one_spelling(text) -> None:
    try:
        data = decode(text)
    except ValueError:
        return
    assert encode(data) == (text if isinstance(text, str) else text.decode())


@given(
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "kid", "use", "key_ops"]), JSON)
    | JSON
)
def test_any_value_as_a_key(jwk) -> None:
    for load in (lambda: load_jwk(jwk, source="s"), lambda: load_jwks(jwk, source="s"), lambda: thumbprint(jwk)):
        try:
            load()
        except MintkeyError:
            continue


@given(st.sampled_from(FAST), st.data())
def test_a_key_with_one_changed_member(algorithm, data) -> None:
    jwk = jwk_of(algorithm)
    name = data.draw(st.sampled_from(sorted(jwk)))
    jwk[name] = data.draw(
        JSON | st.text(alphabet="AB-_=x", max_size=44) | st.binary(min_size=31, max_size=33).map(encode)
    )
    try:
        key = load_jwk(jwk, source="s")
    except MintkeyError as error:
        says_nothing(error)
        return
    text = b"signing input"
    assert verification_key(key).verify(text, asyncio.run(signing_key(key).sign(text)))


@given(
    st.text()
    | st.binary()
    | st.text().map(lambda text: f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----")
)
def test_any_text_as_a_pem(pem) -> None:
    try:
        load_pem(pem, source="s")
    except MintkeyError as error:
        says_nothing(error)


@given(st.binary(max_size=140), st.binary(max_size=140))
def test_verify_never_raises(text, signature) -> None:
    for algorithm in FAST:
        assert not verification_key(key_for(algorithm)).verify(text, signature)
