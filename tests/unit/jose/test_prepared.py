"""Prepared keys: sign, verify, never raise, never block."""

import asyncio
import threading
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose import signatures
from mintkey.jose.algorithms import SPECS
from mintkey.jose.jwk import load_jwk
from mintkey.jose.loaded import from_native
from mintkey.jose.prepared import offload, signing_key, verification_key
from mintkey.jose.signatures import signer, verifier
from tests.support.signers import Held, Signer
from tests.support.signing_keys import ALGORITHMS, key_for, other_key_for, public_jwk_of

pytestmark = pytest.mark.usefixtures("with_and_without_speed")

ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}

# RFC 7518 §3.2 to §3.5, RFC 8037 §3.1; the RSA keys of these tests have 2048 bits.
SIGNATURE_SIZES = {
    **dict.fromkeys(ALGORITHMS, 256),
    "EdDSA": 64,
    "ES256": 64,
    "ES384": 96,
    "ES512": 132,
    "HS256": 32,
    "HS384": 48,
    "HS512": 64,
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_was_signed_verifies_and_nothing_else_does(algorithm) -> None:
    signer_, verifier_ = signing_key(key_for(algorithm)), verification_key(key_for(algorithm))
    signature = await signer_.sign(b"input")
    assert verifier_.verify(b"input", signature)
    assert not verifier_.verify(b"inpux", signature)
    assert not verifier_.verify(b"", signature)
    assert not verification_key(other_key_for(algorithm)).verify(b"input", signature)
    for position in (0, len(signature) // 2, -1):
        bent = bytearray(signature)
        bent[position] ^= 1
        assert not verifier_.verify(b"input", bytes(bent))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_signature_has_the_size_of_the_algorithm_and_no_other_is_taken(algorithm) -> None:
    signature = await signing_key(key_for(algorithm)).sign(b"input")
    assert len(signature) == SIGNATURE_SIZES[algorithm]
    verify = verification_key(key_for(algorithm)).verify
    for other in (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature * 2, bytes(len(signature))):
        assert not verify(b"input", other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signature", [None, "text", 5, [], bytearray(64), object()])
def test_verify_never_raises(algorithm, signature) -> None:
    verify = verification_key(key_for(algorithm)).verify
    assert not verify(b"input", signature)
    assert not verify(signature, b"\x01" * SIGNATURE_SIZES[algorithm])


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
async def test_r_and_s_are_in_range_and_raw(algorithm) -> None:
    key, order = key_for(algorithm), ORDERS[algorithm]
    signature = await signing_key(key).sign(b"input")
    size = len(signature) // 2
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    assert 0 < r < order
    assert 0 < s < order
    verify = verification_key(key).verify
    for bad_r, bad_s in [(0, s), (r, 0), (0, 0), (order, s), (r, order), (r, s + order), (r + order, s)]:
        if max(bad_r, bad_s).bit_length() <= size * 8:
            assert not verify(b"input", bad_r.to_bytes(size, "big") + bad_s.to_bytes(size, "big"))
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    assert not verify(b"input", encode_dss_signature(r, s))


async def test_a_pss_salt_is_as_long_as_the_hash() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS

    key = key_for("PS256")
    for length, taken in [(32, True), (31, False), (0, False), (64, False)]:
        signature = key.private.sign(b"input", PSS(MGF1(hashes.SHA256()), length), hashes.SHA256())
        assert verification_key(key).verify(b"input", signature) is taken


async def test_algorithms_of_one_key_do_not_verify_one_another() -> None:
    rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    for name in rsa:
        signature = await signing_key(key_for(name)).sign(b"input")
        assert [other for other in rsa if verification_key(key_for(other)).verify(b"input", signature)] == [name]


def test_a_prepared_key_says_what_it_is_and_cannot_be_changed() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    key: Any = verification_key(key_for("ES256"), verify_until=until)
    assert (key.kid, key.algorithm, key.verify_until) == (key_for("ES256").kid, "ES256", until)
    with pytest.raises(FrozenInstanceError):
        key.kid = "other"
    signer_ = signing_key(key_for("ES256"))
    assert (signer_.kid, signer_.algorithm) == (key_for("ES256").kid, "ES256")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_repr_shows_more_than_names(algorithm) -> None:
    for key in (signing_key(key_for(algorithm)), verification_key(key_for(algorithm))):
        names = f"kid='{key_for(algorithm).kid}', algorithm='{algorithm}'"
        assert repr(key).partition("(")[2] in {f"{names})", f"{names}, verify_until=None)"}


async def test_the_signing_key_of_a_secret_verifies_too() -> None:
    key: Any = signing_key(key_for("HS256"))
    assert key.verify(b"input", await key.sign(b"input"))
    assert key.verify_until is None


def test_a_public_key_does_not_sign() -> None:
    with pytest.raises(ConfigurationError, match="cannot sign"):
        signing_key(load_jwk(public_jwk_of("EdDSA"), source="test"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_whatever_goes_wrong_with_signing_is_a_provider_error(algorithm) -> None:
    no_bytes: Any = "text"
    with pytest.raises(KeyProviderError) as caught:
        await signing_key(key_for(algorithm)).sign(no_bytes)
    assert caught.value.reason is Reason.SIGNING_FAILED
    assert isinstance(caught.value.__cause__, TypeError)


def noting_threads(algorithm: str, threads: dict[str, set[int]]) -> Any:
    """The signing key, whose signatures are words and leave a note of where they were made."""

    def sign(signing_input: bytes) -> bytes:
        threads.setdefault(algorithm, set()).add(threading.get_ident())
        return b"signature"

    key: Any = signing_key(key_for(algorithm))
    return replace(key, _sign=sign)


async def test_only_rsa_leaves_the_loop_to_sign_and_only_for_a_crowd() -> None:
    threads: dict[str, set[int]] = {}
    here = threading.get_ident()
    algorithms = ("EdDSA", "ES256", "HS256", "RS256", "PS256")
    for algorithm in algorithms:
        assert await noting_threads(algorithm, threads).sign(b"input") == b"signature"
    assert threads == {algorithm: {here} for algorithm in algorithms}
    for algorithm in algorithms:
        key = noting_threads(algorithm, threads)
        await asyncio.gather(*(key.sign(b"input") for _ in range(20)))
    assert {name for name, where in threads.items() if where != {here}} == {"RS256", "PS256"}


@pytest.mark.parametrize(("q", "bits", "is_on_the_spot"), [(2**2048 - 2543, 4096, True), (2**2048 + 1617, 4097, False)])
async def test_an_rsa_key_that_takes_long_never_signs_on_the_loop(q, bits, is_on_the_spot) -> None:
    p, e = 2**2048 - 1557, 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), RSAPublicNumbers(e, p * q))
    native = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    assert native.key_size == bits
    key: Any = signing_key(from_native(native, SPECS["RS256"], kid=None))
    sign = Signer()
    noting = replace(key, _sign=sign)
    await noting.sign(b"input")
    await noting.sign_many([b"input"])
    assert sign.here == (2 if is_on_the_spot else 0)


@pytest.mark.parametrize(("algorithm", "count"), [("EdDSA", 16), ("ES256", 16), ("RS256", 2)])
async def test_whoever_else_wants_to_sign_waits_for_no_more_than_two_rsa_signatures_or_what_takes_as_long(
    monkeypatch, algorithm, count
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    key: Any = signing_key(key_for(algorithm))
    held = Held()
    task = asyncio.create_task(replace(key, _sign=held).sign_many([b"input"] * 100))
    await held.running.wait()
    task.cancel()
    await asyncio.wait([task])
    held.release.set()
    assert await offload(len, held.signed) == count


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_many_signatures_are_those_of_their_inputs_in_order(algorithm) -> None:
    key: Any = signing_key(key_for(algorithm))
    inputs = [b"%d" % number for number in range(40)]
    made = await key.sign_many(inputs)
    verify = verification_key(key_for(algorithm)).verify
    assert all(verify(text, signature) for text, signature in zip(inputs, made, strict=True))
    assert list(await key.sign_many([])) == []


async def test_many_signatures_use_threads_but_for_hmacs() -> None:
    threads: dict[str, set[int]] = {}
    for algorithm in ("EdDSA", "ES256", "HS256", "RS256"):
        await noting_threads(algorithm, threads).sign_many([b"input"] * 500)
    here = threading.get_ident()
    assert {name for name, where in threads.items() if here not in where} == {"EdDSA", "ES256", "RS256"}
    assert threads["HS256"] == {here}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_goes_wrong_with_one_of_many_goes_wrong_with_all(algorithm) -> None:
    key: Any = signing_key(key_for(algorithm))
    with pytest.raises(KeyProviderError) as caught:
        await key.sign_many([b"input"] * 40 + ["text"])
    assert caught.value.reason is Reason.SIGNING_FAILED


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_any_r_and_s_are_padded_to_the_size_of_the_curve(algorithm) -> None:
    size, order = len(signer(key_for(algorithm).private, SPECS[algorithm])(b"input")) // 2, ORDERS[algorithm]
    numbers = [1, 127, 128, 255, 256, order >> 256, order >> 16, order >> 9, order >> 8, order >> 1, order - 1]
    for r in numbers:
        for s in numbers:
            der = encode_dss_signature(r, s)
            raw = signatures._raw(der, size)
            assert raw == r.to_bytes(size, "big") + s.to_bytes(size, "big")
            assert signatures._der(raw, size) == der


def test_the_seam_is_two_functions() -> None:
    spec = SPECS["EdDSA"]
    key = key_for("EdDSA")
    assert verifier(key.public, spec)(b"input", signer(key.private, spec)(b"input"))
