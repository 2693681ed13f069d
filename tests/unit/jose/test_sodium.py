"""Ed25519 by libsodium: the same signatures, and the same signatures taken, as by OpenSSL."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mintkey import speed
from mintkey.errors import KeyProviderError
from mintkey.ids import random_bytes
from mintkey.jose import base64url, sodium
from mintkey.jose.algorithms import SPECS
from mintkey.jose.edwards import LOW_ORDER as LOW_ORDER_ENCODINGS
from mintkey.jose.edwards import is_sound
from mintkey.jose.jwk import load_jwk
from mintkey.jose.prepared import signing_key, verification_key
from mintkey.jose.signatures import signer, verifier
from tests.support.ed25519 import LOW_ORDER, NEUTRAL, L, OddKey, P, encoded, verifies
from tests.support.signing_keys import jwk_of
from tests.support.speed import require_speed, without_speed

SEED = bytes(range(32))
MESSAGES = [b"", b"input", b"eyJhbGciOiJFZERTQSJ9.e30", bytes(16_384)]


def answers(public: bytes, message: bytes, signature: Any) -> tuple[bool, bool]:
    """What we say with OpenSSL and with libsodium."""
    require_speed()
    key = Ed25519PublicKey.from_public_bytes(public)
    with without_speed():
        plain = verifier(key, SPECS["EdDSA"])
    return _yes(plain, message, signature), _yes(verifier(key, SPECS["EdDSA"]), message, signature)


def _yes(verify: Callable[[bytes, bytes], bool], message: bytes, signature: bytes) -> bool:
    try:
        return verify(message, signature)
    except Exception:  # noqa: BLE001 - as in `prepared`: whatever is raised means no
        return False


# --- the same answers


@pytest.mark.parametrize("message", MESSAGES)
def test_the_same_signature_is_made(message) -> None:
    require_speed()
    for seed in (SEED, bytes(32), b"\xff" * 32, random_bytes(32)):
        key = Ed25519PrivateKey.from_private_bytes(seed)
        with without_speed():
            plain = signer(key, SPECS["EdDSA"])
        fast = signer(key, SPECS["EdDSA"])
        assert fast(message) == plain(message) == key.sign(message) == OddKey(seed).sign(message)
        assert fast != plain
        assert answers(OddKey(seed).public, message, plain(message)) == (True, True)
        assert answers(OddKey(seed).public, message + b"x", plain(message)) == (False, False)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 63, 65, 96, 128, 16_384])
def test_a_signature_has_64_bytes(size) -> None:
    key = OddKey(SEED)
    assert answers(key.public, b"input", (key.sign(b"input") * 256)[:size]) == (False, False)


@pytest.mark.parametrize("moved", [-64, -33, -1, 1, 5])
def test_where_the_signature_ends_and_the_input_begins_is_not_up_to_the_sender(moved) -> None:
    key, message = OddKey(SEED), b"input"
    together = key.sign(message) + message
    assert answers(key.public, together[64 + moved :], together[: 64 + moved]) == (False, False)
    assert answers(key.public, together[64:], together[:64]) == (True, True)


@pytest.mark.parametrize("offset", range(8))
@pytest.mark.parametrize("message", MESSAGES)
def test_an_r_that_is_off_by_a_point_of_low_order_is_refused(offset, message) -> None:
    key = OddKey(SEED)
    signature = key.sign(message, r_offset=LOW_ORDER[offset])
    assert verifies(key.public, message, signature, cofactor=8)
    assert answers(key.public, message, signature) == ((True, True) if offset == 0 else (False, False))


@pytest.mark.parametrize("offset", range(8))
def test_a_key_that_is_off_by_a_point_of_low_order_has_signatures_that_hold(offset) -> None:
    """Which of them hold, depends on the challenge; the equation without the cofactor decides."""
    key = OddKey(SEED, offset=LOW_ORDER[offset])
    assert is_sound(key.public)
    found = set()
    for nonce in range(1, 25):
        signature = key.sign(b"input", nonce=nonce)
        right = verifies(key.public, b"input", signature)
        assert answers(key.public, b"input", signature) == (right, right)
        found.add(right)
    assert True in found
    assert (False in found) is (offset != 0)


@pytest.mark.parametrize("key_offset", range(8))
@pytest.mark.parametrize("r_offset", range(8))
def test_an_r_of_low_order_is_refused_although_the_equation_may_hold(key_offset, r_offset) -> None:
    key = OddKey(SEED, offset=LOW_ORDER[key_offset])
    for message in (b"a", b"b", b"c"):
        signature = key.sign(message, nonce=0, r_offset=LOW_ORDER[r_offset])
        assert signature[:32] in LOW_ORDER_ENCODINGS
        assert answers(key.public, message, signature) == (False, False)


def test_the_equation_does_hold_for_an_r_of_low_order() -> None:
    """OpenSSL alone would take it; libsodium does not."""
    key = OddKey(SEED)
    signature = key.sign(b"input", nonce=0)
    assert verifies(key.public, b"input", signature)
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, b"input")
    assert answers(key.public, b"input", signature) == (False, False)


def test_the_points_of_low_order_are_all_known() -> None:
    canonical = {encoded(point) for point in LOW_ORDER}
    assert len(canonical) == 8
    assert canonical < LOW_ORDER_ENCODINGS


@pytest.mark.parametrize("y", [*range(19), P - 1, P])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_second_spelling_of_r_is_refused(y, sign) -> None:
    key = OddKey(SEED)
    for spelled in (y, y + P if y < 19 else y):
        r = (spelled | sign << 255).to_bytes(32, "little")
        for s in (0, 1, L - 1):
            assert answers(key.public, b"input", r + s.to_bytes(32, "little")) == (False, False)


@pytest.mark.parametrize("wraps", range(15))
def test_s_has_one_spelling(wraps) -> None:
    key = OddKey(SEED)
    signature = key.sign(b"input", wraps=wraps)
    assert verifies(key.public, b"input", signature, max_s=2**256)
    assert answers(key.public, b"input", signature) == ((True, True) if wraps == 0 else (False, False))


@pytest.mark.parametrize("s", [0, 1, L - 1, L, L + 1, 2**252, 2**253, 2**255 - 1, 2**255, 2**256 - 1])
def test_any_other_s_is_refused(s) -> None:
    key = OddKey(SEED)
    signature = key.sign(b"input")[:32] + s.to_bytes(32, "little")
    assert answers(key.public, b"input", signature) == (False, False)


async def test_each_takes_what_the_other_signed() -> None:
    require_speed()
    key = load_jwk(jwk_of("EdDSA"), source="test")
    with without_speed():
        plain = signing_key(key), verification_key(key)
    fast = signing_key(key), verification_key(key)
    assert plain[1].verify(b"input", await fast[0].sign(b"input"))
    assert fast[1].verify(b"input", await plain[0].sign(b"input"))


def test_it_is_used_unless_it_is_switched_off() -> None:
    require_speed()
    assert sodium.is_used()
    with without_speed():
        assert not sodium.is_used()


# --- a library that does not judge as we do


def book(**reading: int) -> SimpleNamespace:
    """What a `nacl.bindings` might be: by the book, in one reading of it or another."""

    def crypto_sign(message: bytes, sk: bytes) -> bytes:
        return OddKey(sk[:32]).sign(message) + message

    def crypto_sign_open(signed: bytes, pk: bytes) -> bytes:
        if signed[:32] in LOW_ORDER_ENCODINGS or not verifies(pk, signed[64:], signed[:64], **reading):
            raise ValueError
        return signed[64:]

    return SimpleNamespace(crypto_sign=crypto_sign, crypto_sign_open=crypto_sign_open)


def with_neutral_r() -> SimpleNamespace:
    found = book()
    strict = found.crypto_sign_open

    def crypto_sign_open(signed: bytes, pk: bytes) -> bytes:
        message: bytes = signed[64:] if signed[:32] == encoded(NEUTRAL) else strict(signed, pk)
        return message

    found.crypto_sign_open = crypto_sign_open
    return found


def without_mixed_keys() -> SimpleNamespace:
    found = book()
    strict = found.crypto_sign_open

    def crypto_sign_open(signed: bytes, pk: bytes) -> bytes:
        if pk != OddKey(SEED).public:
            raise ValueError
        message: bytes = strict(signed, pk)
        return message

    found.crypto_sign_open = crypto_sign_open
    return found


def that_fails_to_sign() -> SimpleNamespace:
    found = book()
    found.crypto_sign = None
    return found


def that_signs_by_chance() -> SimpleNamespace:
    found = book()
    found.crypto_sign = lambda message, sk: OddKey(sk[:32]).sign(message, nonce=12_345) + message
    return found


def use(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "imported", lambda module: library)


async def test_a_library_that_judges_as_we_do_is_used(monkeypatch) -> None:
    use(book(), monkeypatch)
    assert sodium.is_used()
    key = load_jwk(jwk_of("EdDSA"), source="test")
    signature = await signing_key(key).sign(b"input")
    with without_speed():
        assert verification_key(key).verify(b"input", signature)
    assert verification_key(key).verify(b"input", signature)
    assert not verification_key(key).verify(b"inpux", signature)
    assert not verification_key(key).verify(signature[63:] + b"input", signature[:63])


async def test_a_library_that_is_used_does_all_the_work(monkeypatch) -> None:
    require_speed()
    library, asked = speed.imported("nacl.bindings"), list[bytes]()
    assert library is not None

    def noting(function: Callable[[bytes, bytes], bytes]) -> Callable[[bytes, bytes], bytes]:
        def note(text: bytes, key: bytes) -> bytes:
            asked.append(text)
            return function(text, key)

        return note

    sign, open_signed = noting(library.crypto_sign), noting(library.crypto_sign_open)
    use(SimpleNamespace(crypto_sign=sign, crypto_sign_open=open_signed), monkeypatch)
    key = load_jwk(jwk_of("EdDSA"), source="test")
    signature = await signing_key(key).sign(b"input")
    assert asked[-1] == b"input"
    assert verification_key(key).verify(b"input", signature)
    assert asked[-1] == signature + b"input"


def test_without_a_library_none_is_tried(monkeypatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(sodium, "_judges_as_we_do", tried.append)
    with without_speed():
        assert not sodium.is_used()
    assert tried == []


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(book(cofactor=8), id="it multiplies by the cofactor"),
        pytest.param(book(max_s=2**256), id="it takes a large S"),
        pytest.param(with_neutral_r(), id="it takes a neutral R"),
        pytest.param(without_mixed_keys(), id="it refuses some sound keys"),
        pytest.param(that_fails_to_sign(), id="it does not sign"),
        pytest.param(that_signs_by_chance(), id="it signs in another way"),
    ],
)
async def test_a_library_that_judges_otherwise_is_left_alone(library, monkeypatch) -> None:
    use(library, monkeypatch)
    key: Any = load_jwk(jwk_of("EdDSA"), source="test")
    assert not sodium.is_used()
    assert sodium.signer(key.private) is None
    assert sodium.verifier(key.public) is None
    assert verification_key(key).verify(b"input", await signing_key(key).sign(b"input"))


def test_what_a_library_is_tried_with_is_what_it_says() -> None:
    (key, good), (mixed_key, mixed_keys) = sodium._VALID
    large_s, mixed_r, neutral_r = (signature for _, signature in sodium._INVALID)
    message, nonce = sodium._MESSAGE, OddKey(SEED).nonce(sodium._MESSAGE)
    honest, mixed = OddKey(SEED), OddKey(SEED, offset=LOW_ORDER[4])

    assert (sodium._SEED, key, mixed_key) == (SEED, honest.public, mixed.public)
    assert {public for public, _ in sodium._INVALID} == {key}
    assert good == honest.sign(message)
    assert mixed_keys == mixed.sign(message, nonce=nonce)
    assert verifies(mixed_key, message, mixed_keys)
    assert large_s == honest.sign(message, wraps=1)
    assert mixed_r == honest.sign(message, nonce=nonce, r_offset=LOW_ORDER[4])
    assert neutral_r == honest.sign(message, nonce=0)


# --- the secret


@pytest.mark.usefixtures("with_and_without_speed")
async def test_the_seed_is_in_no_text(caplog) -> None:
    jwk = jwk_of("EdDSA")
    seed = base64url.decode(jwk["d"])
    prepared: Any = signing_key(load_jwk(jwk, source="test"))
    with pytest.raises(KeyProviderError) as caught:
        await prepared.sign("no bytes")
    shown = f"{prepared!r} {prepared} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    for spelled in (jwk["d"], seed.hex(), repr(seed)[2:-1], str(list(seed))):
        assert spelled not in shown
