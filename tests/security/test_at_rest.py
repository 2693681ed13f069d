"""Keys at rest: a sealed directory holds no private key in any form, and a changed one is no good to anybody."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from mintkey.claims import strict_json
from mintkey.errors import KeyProviderError
from mintkey.jose import base64url, jwk
from mintkey.jose.loaded import LoadedKey
from mintkey.keys.base import Algorithm
from mintkey.keys.custodians.sealed import SealedCustodian
from mintkey.keys.document import decode, encode
from mintkey.keys.file import FileKeyProvider
from mintkey.keys.ports import KeyMaterial
from mintkey.keys.ring import Ring, RingVersion
from mintkey.keys.sealing import Plaintext, Sealer
from mintkey.keys.stores.file import FileKeyRingStore

KEK = bytes(range(32))
SEALER = Sealer([KEK])


def spellings(secret: bytes) -> Iterator[bytes]:
    """The ways in which bytes may stand in a file; of base64, at each of the three offsets."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for offset in range(3):
        for encode_base64 in (base64.b64encode, base64.urlsafe_b64encode):
            # What the characters at both ends say depends on the neighbours.
            yield encode_base64(bytes(offset) + secret)[4:-4]


def private_forms(key: LoadedKey) -> Iterator[bytes]:
    """Everything that would do to sign."""
    assert key.private_jwk is not None
    for member in {"d", "p", "q", "dp", "dq", "qi", "k"} & key.private_jwk.keys():
        yield key.private_jwk[member].encode()
        yield from spellings(key.private_jwk[member].encode())
        yield from spellings(base64url.decode(key.private_jwk[member]))
    if not isinstance(key.private, bytes) and key.private is not None:
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
            yield from spellings(
                key.private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            )


def everything_in(path: Path) -> bytes:
    return b"\0".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


async def write(path: Path, key_custodian: SealedCustodian, algorithm: Algorithm) -> KeyMaterial:
    """A directory with a ring of one version."""
    material = await key_custodian.create(algorithm)
    ring = Ring((RingVersion(material=material, created_at=0.0, activates_at=0.0),))
    assert await FileKeyRingStore(path).compare_and_swap("default", expected=0, document=encode(ring))
    return material


def private_half(material: KeyMaterial, sealer: Sealer | Plaintext) -> LoadedKey:
    binding = b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"default", material.kid.encode(), material.algorithm.encode())
    )
    return jwk.load_jwk(strict_json.loads(sealer.open(material.handle, aad=binding)), source="test")


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512", "RS256", "HS256"])
async def test_a_sealed_directory_holds_no_private_key_in_any_form(tmp_path, algorithm):
    keeper = SealedCustodian(SEALER, ring="default", rsa_bits=2048)
    key = private_half(await write(tmp_path / "keys", keeper, algorithm), SEALER)
    content = everything_in(tmp_path / "keys")
    assert key.kid.encode() in content
    for form in private_forms(key):
        assert form not in content
    assert b"PRIVATE" not in content
    for spelling in spellings(KEK):
        assert spelling not in content


async def test_the_search_would_find_a_key(tmp_path):
    # The same search in a plain directory, whose document holds the JWK in base64url.
    keeper = SealedCustodian(Plaintext(), ring="default", rsa_bits=2048)
    for algorithm in ("EdDSA", "RS256"):
        material = await write(tmp_path / algorithm, keeper, algorithm)
        content = everything_in(tmp_path / algorithm)
        assert any(form in content for form in private_forms(private_half(material, Plaintext())))


async def test_a_provider_that_lived_left_no_private_key_behind(tmp_path):
    async with FileKeyProvider(tmp_path / "keys", sealer=SEALER) as provider:
        for _ in range(3):
            await provider.acquire()
            await provider.rotate()
    stored = await FileKeyRingStore(tmp_path / "keys").load("default")
    assert stored is not None
    ring = decode(stored.document.partition(b"\n")[2], ring="default")
    kept = [version.material for version in ring.versions if version.material.handle]
    assert len(kept) == 2  # of five versions: the one that signs and its successor
    content = everything_in(tmp_path / "keys")
    for material in kept:
        assert not any(form in content for form in private_forms(private_half(material, SEALER)))


async def test_every_flipped_bit_of_a_blob_is_refused():
    keeper = SealedCustodian(SEALER, ring="default")
    material = await keeper.create("EdDSA")
    prefix, _, blob = material.handle.partition(".")
    raw = base64url.decode(blob)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :]
        await refused(keeper, replace(material, handle=f"{prefix}.{base64url.encode(changed)}"))
    for at, old in enumerate(material.handle):
        new = "A" if old != "A" else "B"
        await refused(keeper, replace(material, handle=material.handle[:at] + new + material.handle[at + 1 :]))
    for size in range(len(raw)):
        await refused(keeper, replace(material, handle=f"{prefix}.{base64url.encode(raw[:size])}"))


@pytest.mark.parametrize("algorithm", ["EdDSA", "HS256"])
async def test_a_blob_is_good_for_its_own_version_only(algorithm):
    keeper = SealedCustodian(SEALER, ring="default")
    mine, foreign = await keeper.create(algorithm), await keeper.create(algorithm)
    await refused(keeper, replace(mine, handle=foreign.handle))
    await refused(keeper, replace(foreign, kid=mine.kid))
    await refused(SealedCustodian(SEALER, ring="other"), mine)
    await refused(SealedCustodian(Sealer([bytes(32)]), ring="default"), mine)


async def test_nobody_puts_a_plain_key_of_his_own_into_a_sealed_ring():
    sealed = SealedCustodian(SEALER, ring="default")
    attackers = await SealedCustodian(Plaintext(), ring="default").create("EdDSA")
    await refused(sealed, attackers)


async def refused(keeper: SealedCustodian, material: KeyMaterial) -> None:
    with pytest.raises(KeyProviderError) as caught:
        await keeper.open(material)
    assert material.handle not in str(caught.value)
