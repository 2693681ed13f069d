"""The gate: its order, its reasons, and that nothing but its own errors comes out."""

import json
import tracemalloc
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from mintkey.errors import ConfigurationError, MalformedTokenError, Reason, SignatureError
from mintkey.jose import compact
from mintkey.jose.base64url import encode
from mintkey.jose.compact import HeaderCache, assemble
from mintkey.jose.header import read_header
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.purpose import FORBIDDEN_HEADERS
from tests.support.compact import authenticate, parse, remember, signing_input
from tests.support.signing_keys import ALGORITHMS, key_for, other_key_for

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

LIMIT = 16_384


def token(header: object, payload: bytes = b"{}", signature: bytes = b"signature") -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{encode(text)}.{encode(payload)}.{encode(signature)}"


def refuse(value: object, reason: Reason, **options: Any) -> None:
    with pytest.raises(MalformedTokenError) as caught:
        parse(value, **{"max_bytes": LIMIT, **options})
    assert caught.value.reason is reason
    assert caught.value.__context__ is None
    if isinstance(value, str) and len(value) > 8:
        assert value not in f"{caught.value!r} {caught.value.details}"


async def signed(algorithm, *, header: dict[str, Any] | None = None, payload: bytes = b'{"a":1}', **parts) -> str:
    key = key_for(algorithm)
    if header is None:
        text = signing_input(kid=key.kid, algorithm=algorithm, typ="login+jwt", payload=payload, **parts)
    else:
        text = f"{encode(json.dumps(header).encode())}.{encode(payload)}".encode()
    return assemble(text, await signing_key(key).sign(text))


GOOD = {"alg": "EdDSA", "kid": "1", "typ": "login+jwt"}


# --- the way through


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_was_signed_is_parsed_and_authentic(algorithm) -> None:
    key = key_for(algorithm)
    parts = parse(await signed(algorithm), max_bytes=LIMIT)
    assert parts.header == (algorithm, key.kid, "login+jwt", {})
    assert parts.payload == b'{"a":1}'
    authenticate(parts, verification_key(key))


async def test_private_headers_travel() -> None:
    text = await signed("EdDSA", headers={"tenant": "t1", "x5t": "AAAA"})
    parts = parse(text, max_bytes=LIMIT, allowed_headers=["tenant", "x5t"])
    assert parts.header.private == {"tenant": "t1"}
    refuse(text, Reason.HEADER_UNSUPPORTED)


async def test_a_subclass_of_str_is_a_str() -> None:
    class MintedToken(str):
        __slots__ = ()

    assert parse(MintedToken(await signed("EdDSA")), max_bytes=LIMIT).header.typ == "login+jwt"


def test_typ_may_be_missing() -> None:
    assert parse(token({"alg": "EdDSA", "kid": "1"}), max_bytes=LIMIT).header.typ is None


def test_the_module_offers_what_belongs_to_the_gate() -> None:
    assert compact.same_typ("JWT", "application/jwt")
    assert "crit" in FORBIDDEN_HEADERS


# --- the order of refusals


@pytest.mark.parametrize("value", [None, 1, b"a.b.c", bytearray(b"a.b.c"), ["a", "b", "c"], object(), {}])
def test_only_a_str_is_a_token(value) -> None:
    refuse(value, Reason.MALFORMED)
    refuse(value, Reason.MALFORMED, max_bytes=0)


def test_length_comes_before_everything_else() -> None:
    refuse("." * (LIMIT + 1), Reason.TOO_LARGE)
    refuse("ä" * (LIMIT + 1), Reason.TOO_LARGE)
    refuse("." * LIMIT, Reason.MALFORMED)
    good = token(GOOD)
    assert parse(good, max_bytes=len(good))
    refuse(good, Reason.TOO_LARGE, max_bytes=len(good) - 1)


def test_ten_megabytes_are_refused_without_a_copy() -> None:
    for text in ("." * 10_000_000, "ä" * 10_000_000, "\ud800" * 10_000_000):
        tracemalloc.start()
        refuse(text, Reason.TOO_LARGE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100_000


@pytest.mark.parametrize("text", ["a.b.ä", "ａ.b.c", "a\ud800.b.c", "a.b.c\u200b"])
def test_a_token_is_ascii(text) -> None:
    refuse(text, Reason.MALFORMED)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a", "e30", "e30.e30", "e30.e30.e30.e30", "e30.e30.e30.e30.e30", "....", "." * 9000]
)
def test_a_token_has_exactly_two_dots(text) -> None:
    refuse(text, Reason.MALFORMED)


@pytest.mark.parametrize("damage", ["=", "\n", " ", "+", "/", "\0"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_segment_is_canonical_base64url(position, damage) -> None:
    segments = [encode(json.dumps({**GOOD, "kid": "22"}).encode()), encode(b"abcd"), encode(b"ab")]
    for bad in (segments[position] + damage, damage + segments[position], segments[position][:-1] + damage):
        parts = [*segments[:position], bad, *segments[position + 1 :]]
        with pytest.raises(MalformedTokenError):
            parse(".".join(parts), max_bytes=LIMIT)


def test_base64url_comes_before_the_header() -> None:
    refuse(token({"crit": []}) + "=", Reason.MALFORMED)


def test_an_unsupported_header_comes_before_a_missing_kid() -> None:
    refuse(token({"crit": ["b64"], "b64": False}), Reason.HEADER_UNSUPPORTED)
    refuse(token({"alg": "EdDSA"}), Reason.MALFORMED)


@pytest.mark.parametrize("kid", ["", "../../etc/passwd", "a" * 129, "a b", "a:b", "é", "a\n", "kid'--"])
def test_a_kid_of_another_shape_never_gets_to_a_key_store(kid) -> None:
    refuse(token({**GOOD, "kid": kid}), Reason.MALFORMED)


def test_the_longest_kid() -> None:
    assert parse(token({**GOOD, "kid": "a" * 128}), max_bytes=LIMIT).header.kid == "a" * 128


# --- authenticity


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_any_change_of_the_signed_part_is_noticed(algorithm) -> None:
    header, payload, signature = (await signed(algorithm)).split(".")
    other = (await signed(algorithm, payload=b'{"a":2}')).split(".")
    for forged in (f"{header}.{other[1]}.{signature}", f"{header}.{payload}.{other[2]}", f"{header}.{payload}."):
        with pytest.raises(SignatureError) as caught:
            authenticate(parse(forged, max_bytes=LIMIT), verification_key(key_for(algorithm)))
        assert caught.value.reason is Reason.SIGNATURE_INVALID


async def test_the_signature_of_another_key_is_refused() -> None:
    with pytest.raises(SignatureError) as caught:
        authenticate(parse(await signed("ES256"), max_bytes=LIMIT), verification_key(other_key_for("ES256")))
    assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_header_must_name_the_algorithm_of_the_key(algorithm) -> None:
    key = key_for(algorithm)
    names = [*ALGORITHMS, "Ed25519", "none", "None", "NONE", "nOnE", "", algorithm.lower(), algorithm + " "]
    for name in names:
        text = await signed(algorithm, header={"alg": name, "kid": key.kid})
        parts = parse(text, max_bytes=LIMIT)
        if name in ({algorithm, "Ed25519"} if algorithm == "EdDSA" else {algorithm}):
            authenticate(parts, verification_key(key))
            continue
        with pytest.raises(SignatureError) as caught:
            authenticate(parts, verification_key(key))
        assert caught.value.reason is Reason.ALGORITHM_MISMATCH


async def test_an_algorithm_that_only_the_key_knows_is_for_the_key_to_judge() -> None:
    key: Any = SimpleNamespace(kid="1", algorithm="ES256K", verify=lambda _, signature: signature == b"signature")
    text = token({**GOOD, "alg": "ES256K"})
    authenticate(parse(text, max_bytes=LIMIT), key)
    with pytest.raises(SignatureError) as caught:
        authenticate(parse(text + "AAAA", max_bytes=LIMIT), key)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


async def test_a_public_key_is_not_taken_for_a_secret() -> None:
    """The classic: HS256 over the text of the public key (RFC 8725 §2.1)."""
    import hmac

    key = key_for("RS256")
    text = signing_input(kid=key.kid, algorithm="HS256", typ="x", payload=b"{}")
    forged = assemble(text, hmac.digest(json.dumps(key.public_jwk).encode(), text, "sha256"))
    with pytest.raises(SignatureError) as caught:
        authenticate(parse(forged, max_bytes=LIMIT), verification_key(key))
    assert caught.value.reason is Reason.ALGORITHM_MISMATCH


# --- the cache of headers


async def test_a_known_header_is_not_read_again_and_gives_the_same_parts() -> None:
    cache = HeaderCache()
    text = await signed("HS256")
    first = parse(text, max_bytes=LIMIT, cache=cache)
    assert not first.header_is_known
    remember(cache, first)
    again = parse(text, max_bytes=LIMIT, cache=cache)
    assert again.header_is_known
    assert again[:-1] == first[:-1]
    assert parse(await signed("HS256", payload=b"other"), max_bytes=LIMIT, cache=cache).header_is_known


def test_nothing_is_remembered_unasked() -> None:
    cache = HeaderCache()
    parse(token(GOOD), max_bytes=LIMIT, cache=cache)
    assert not parse(token(GOOD), max_bytes=LIMIT, cache=cache).header_is_known


@pytest.mark.parametrize("member", ["tenant", "x5t"])
def test_a_header_that_another_purpose_refuses_is_not_remembered(member) -> None:
    cache = HeaderCache()
    text = token({**GOOD, member: "1"})
    remember(cache, parse(text, max_bytes=LIMIT, allowed_headers=[member], cache=cache))
    refuse(text, Reason.HEADER_UNSUPPORTED, cache=cache)


def test_the_cache_is_bounded_and_the_oldest_goes_first() -> None:
    cache = HeaderCache(max_entries=2)
    texts = [token({**GOOD, "kid": str(number)}) for number in range(3)]
    for text in texts:
        remember(cache, parse(text, max_bytes=LIMIT, cache=cache))
    assert [parse(text, max_bytes=LIMIT, cache=cache).header_is_known for text in texts] == [False, True, True]


def test_a_cache_has_room_for_256_headers() -> None:
    cache = HeaderCache()
    header = read_header(encode(json.dumps(GOOD).encode()).encode(), ())
    for number in range(257):
        cache.remember(b"%d" % number, header)
    assert [cache.find(b"%d" % number) is not None for number in (0, 1, 256)] == [False, True, True]


def test_two_threads_that_make_room_at_once_do_not_disturb_one_another() -> None:
    """The second comes when the first is about to drop the oldest header, and would drop the same."""
    cache = HeaderCache(max_entries=1)
    header = read_header(encode(json.dumps(GOOD).encode()).encode(), ())
    second = Thread(target=cache.remember, args=(b"second", header))
    dropping: list[bytes] = []

    class Oldest(bytes):
        def __hash__(self) -> int:
            if self in dropping:
                dropping.clear()
                second.start()
                while second.is_alive() and not cache._guard.locked():
                    pass
            return super().__hash__()

    oldest = Oldest(b"oldest")
    cache.remember(oldest, header)
    dropping.append(oldest)
    cache.remember(b"first", header)
    second.join()
    assert cache.find(b"second") == header


# --- putting together


def test_the_header_segment_may_be_made_before() -> None:
    segment = compact.header_segment(kid="1", algorithm="EdDSA", typ="login+jwt")
    whole = signing_input(kid="1", algorithm="EdDSA", typ="login+jwt", payload=b"payload")
    assert compact.compose(segment, b"payload") == whole


def test_forbidden_headers_are_not_signed() -> None:
    with pytest.raises(ConfigurationError, match="kid"):
        signing_input(kid="1", algorithm="EdDSA", typ="x", headers={"kid": "2"}, payload=b"")
