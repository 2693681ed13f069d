"""The sealed custodian: the private key is in the handle, and the handle is good for one ring, kid and algorithm."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast, get_args

import pytest

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose import jwk, prepared
from mintkey.keys.base import Algorithm, VerificationKey
from mintkey.keys.custodians.sealed import SealedCustodian, custodian_for
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.sealing import Plaintext, Sealer

SEALER = Sealer([bytes(range(32))])
SECRETS = ("HS256", "HS384", "HS512")


def custodian(sealer: Sealer | Plaintext = SEALER, ring: str = "default") -> SealedCustodian:
    return SealedCustodian(sealer, ring=ring, rsa_bits=2048)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
async def test_a_key_that_was_created_signs_what_its_public_half_verifies(algorithm):
    material = await custodian().create(algorithm)
    key = await custodian().open(material)
    signature = await key.sign(b"input")
    if material.public_jwk is None:
        assert algorithm in SECRETS
        verifier = cast("VerificationKey", key)
    else:
        verifier = prepared.verification_key(jwk.load_jwk(material.public_jwk, source="test"))
    assert verifier.verify(b"input", signature)
    assert not verifier.verify(b"other", signature)
    assert (key.kid, key.algorithm) == (material.kid, algorithm)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "HS256"])
async def test_private_halves_go_when_a_version_stops_signing_and_secrets_stay(algorithm):
    material = await custodian().create(algorithm)
    assert material.erase_when_retiring is (algorithm not in SECRETS)


async def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ConfigurationError, match="algorithm"):
        await custodian().create("none")


@pytest.mark.parametrize("bits", [0, 1024, 2047, 16_385])
def test_weak_and_absurd_moduli_are_refused(bits):
    with pytest.raises(ConfigurationError, match=r"SealedCustodian\.rsa_bits"):
        SealedCustodian(SEALER, ring="default", rsa_bits=bits)


async def test_moduli_have_the_size_that_was_asked_for():
    material = await SealedCustodian(SEALER, ring="default", rsa_bits=2560).create("RS256")
    assert material.public_jwk is not None
    assert len(material.public_jwk["n"]) * 6 // 8 == 2560 // 8


async def refused(keeper: SealedCustodian, material: KeyMaterial) -> KeyProviderError:
    with pytest.raises(KeyProviderError) as caught:
        await keeper.open(material)
    error = caught.value
    assert error.reason is Reason.KEYS_UNAVAILABLE
    assert material.kid in str(error)
    assert material.handle == "" or material.handle not in str(error)
    assert error.details["kid"] == material.kid
    return error


async def test_another_key_encryption_key_does_not_open_it():
    error = await refused(custodian(Sealer([bytes(32)])), await custodian().create("EdDSA"))
    assert "'default'" in str(error)
    assert error.details["ring"] == "default"


async def test_another_ring_does_not_open_it():
    await refused(custodian(ring="other"), await custodian().create("EdDSA"))


async def test_another_kid_does_not_open_it():
    one, other = await custodian().create("EdDSA"), await custodian().create("EdDSA")
    await refused(custodian(), replace(one, handle=other.handle))


async def test_another_algorithm_does_not_open_it():
    material = await custodian().create("RS256")
    await refused(custodian(), replace(material, algorithm="PS256"))


async def test_the_binding_has_no_two_readings():
    # The same bytes in a row, cut elsewhere.
    material = await custodian(ring="a").create("HS256")
    moved = replace(material, kid=material.kid[1:])
    await refused(custodian(ring="a" + material.kid[0]), moved)


async def test_a_damaged_handle_does_not_open():
    material = await custodian().create("EdDSA")
    await refused(custodian(), replace(material, handle=material.handle[:-1]))


async def test_an_erased_handle_does_not_open():
    material = await custodian().create("EdDSA")
    await refused(custodian(), replace(material, handle=""))


async def test_plain_keys_of_another_version_are_refused_too():
    keeper = custodian(Plaintext())
    one, other = await keeper.create("EdDSA"), await keeper.create("EdDSA")
    error = await refused(keeper, replace(one, handle=other.handle))
    assert "not the key" in str(error)


async def test_a_public_half_that_is_not_the_keys_is_refused():
    one, other = await custodian().create("EdDSA"), await custodian().create("EdDSA")
    assert other.public_jwk is not None
    await refused(custodian(), replace(one, public_jwk={**other.public_jwk, "kid": one.kid}))


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"{}", b'{"kty":"OKP","crv":"Ed25519","x":"AA","d":"BB"}'])
async def test_a_handle_that_opens_to_nonsense_is_refused_without_saying_what_it_holds(content):
    material = await custodian(Plaintext()).create("EdDSA")
    error = await refused(custodian(Plaintext()), replace(material, handle=Plaintext().seal(content, aad=b"")))
    assert "damaged" in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_a_public_key_in_place_of_the_private_one_is_refused(algorithm):
    material = await custodian(Plaintext()).create(algorithm)
    assert material.public_jwk is not None
    handle = Plaintext().seal(strict_json.dumps(material.public_jwk), aad=b"")
    await refused(custodian(Plaintext()), replace(material, handle=handle))


async def test_an_algorithm_that_nobody_knows_is_refused():
    material = await custodian().create("EdDSA")
    await refused(custodian(), replace(material, algorithm="XX999"))


async def test_an_rsa_key_is_opened_without_the_proof_that_would_stop_the_event_loop(monkeypatch):
    """Its factors came from `create`. Whoever brings a key of their own has it proved: that takes 100 ms and more."""
    asked: list[bool] = []
    load: Callable[..., jwk.LoadedKey] = jwk.load_jwk

    def noting(*args: Any, made_here: bool = False, **options: Any) -> jwk.LoadedKey:
        asked.append(made_here)
        return load(*args, made_here=made_here, **options)

    monkeypatch.setattr(jwk, "load_jwk", noting)
    material = await custodian().create("RS256")
    assert (await custodian().open(material)).kid == material.kid
    assert asked == [True]


async def test_destroying_is_done_by_dropping_the_handle():
    keeper = custodian()
    material = await keeper.create("EdDSA")
    await keeper.destroy(material)
    await keeper.destroy(material)


async def test_nobody_shows_a_private_key():
    material = await custodian(Plaintext()).create("EdDSA")
    assert material.handle not in repr(material)
    assert repr(custodian()) == "SealedCustodian(<Sealer with 1 key(s)>, ring='default')"


def test_a_provider_takes_a_sealer_or_a_custodian():
    mine = custodian()
    assert custodian_for("P", ring="r", sealer=None, custodian=mine) is mine
    assert repr(custodian_for("P", ring="r", sealer=SEALER, custodian=None)) == repr(custodian(ring="r"))
    plain = custodian_for("P", ring="r", sealer=None, custodian=None, default=Plaintext())
    assert repr(plain) == "SealedCustodian(Plaintext(), ring='r')"
    with pytest.raises(ConfigurationError, match="not both"):
        custodian_for("P", ring="r", sealer=SEALER, custodian=mine)
    with pytest.raises(ConfigurationError, match=r"P stores private keys.*sealer=Plaintext\(\)"):
        custodian_for("P", ring="r", sealer=None, custodian=None)


def test_a_sealer_of_the_ring_alone_goes_with_a_custodian():
    mine = custodian()
    assert custodian_for("P", ring="r", sealer=None, custodian=mine, ring_sealer=SEALER) is mine
    with pytest.raises(ConfigurationError, match=r"not both.*ring_sealer= beside custodian="):
        custodian_for("P", ring="r", sealer=SEALER, custodian=mine, ring_sealer=SEALER)
    for sealer in (SEALER, Plaintext(), None):
        with pytest.raises(ConfigurationError, match="P takes ring_sealer= beside custodian= alone"):
            custodian_for("P", ring="r", sealer=sealer, custodian=None, ring_sealer=SEALER, default=Plaintext())


async def test_rewrapping_changes_the_handle_and_nothing_else():
    old = await custodian().create("EdDSA")
    both = custodian(Sealer([bytes(32), bytes(range(32))]))
    new = await both.rewrap(old)
    assert new == replace(old, handle=new.handle) != old
    assert (await custodian(Sealer([bytes(32)])).open(new)).kid == old.kid
    assert await both.rewrap(new) is new


async def test_rewrapping_refuses_what_does_not_open():
    material = await custodian().create("EdDSA")
    with pytest.raises(KeyProviderError, match=material.kid):
        await custodian(Sealer([bytes(32)])).rewrap(material)


async def test_plain_keys_stay_as_they_are():
    material = await custodian(Plaintext()).create("EdDSA")
    assert await custodian(Plaintext()).rewrap(material) is material


async def test_a_key_moves_to_another_ring_and_sealer():
    there = custodian(Sealer([bytes(32)]), ring="other")
    material = await custodian().create("EdDSA")
    moved = await custodian().move_to(there, material)
    assert moved == replace(material, handle=moved.handle)
    assert (await there.open(moved)).kid == material.kid
    await refused(custodian(), moved)
    with pytest.raises(KeyProviderError, match=material.kid):
        await there.move_to(custodian(), material)
