"""The seal of a ring document: good for one ring, one revision and these bytes, under one of the listed keys."""

import hmac
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mintkey.errors import KeyProviderError, Reason
from mintkey.jose import base64url
from mintkey.keys.document_seal import DocumentSeal
from mintkey.keys.sealing import Plaintext, Sealer

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
DOCUMENT = b'{"format":1,"versions":[],"tombstones":[]}'


def seal(*keys: bytes, ring: str = "default") -> DocumentSeal:
    return DocumentSeal(Sealer(keys or (ONE,)), ring=ring)


def refused(by: DocumentSeal, stored: bytes, *, revision: int = 7) -> str:
    with pytest.raises(KeyProviderError) as caught:
        by.open(stored, revision=revision)
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert caught.value.details == {"ring": "default"}
    assert "'default' is left as it is" in str(caught.value)
    return str(caught.value)


def test_what_was_sealed_is_read_back() -> None:
    assert seal().open(seal().close(DOCUMENT, revision=7), revision=7) == DOCUMENT


def test_the_document_stays_readable_behind_one_line_of_ascii() -> None:
    line, _, document = seal().close(DOCUMENT, revision=7).partition(b"\n")
    assert document == DOCUMENT
    assert line.isascii()
    assert len(line) == len("mintkey-sealed-ring-1 ") + 43


def test_the_tag_is_hmac_sha256_under_a_derived_key_over_ring_revision_and_document() -> None:
    key = HKDF(SHA256(), 32, salt=None, info=b"mintkey ring document v1").derive(ONE)
    message = b"\0\0\0\7default" + b"\0\0\0\x0212" + len(DOCUMENT).to_bytes(4, "big") + DOCUMENT
    tag = base64url.encode(hmac.new(key, message, sha256).digest())
    assert seal().close(DOCUMENT, revision=12).startswith(f"mintkey-sealed-ring-1 {tag}\n".encode())


def test_an_older_document_is_no_good_under_a_newer_revision() -> None:
    sealed = seal().close(DOCUMENT, revision=6)
    assert "at revision 7" in refused(seal(), sealed)
    assert seal().open(sealed, revision=6) == DOCUMENT


def test_a_document_of_another_ring_is_refused() -> None:
    refused(seal(), seal(ring="other").close(DOCUMENT, revision=7))


def test_ring_and_revision_have_no_two_readings() -> None:
    refused(seal(), seal(ring="default1").close(DOCUMENT, revision=2), revision=12)


def test_another_key_encryption_key_is_refused_and_said_to_be_missing() -> None:
    assert "List the key" in refused(seal(TWO), seal(ONE).close(DOCUMENT, revision=7))


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both = seal(ONE).close(DOCUMENT, revision=7), seal(TWO, ONE)
    assert both.open(old, revision=7) == DOCUMENT
    assert seal(TWO).open(both.close(DOCUMENT, revision=7), revision=7) == DOCUMENT


def test_whether_the_seal_is_of_the_first_key() -> None:
    old = seal(ONE).close(DOCUMENT, revision=7)
    assert seal(ONE, TWO).is_current(old, revision=7)
    assert not seal(TWO, ONE).is_current(old, revision=7)
    with pytest.raises(KeyProviderError):
        seal(TWO).is_current(old, revision=7)


def test_every_flipped_bit_is_refused() -> None:
    sealed = seal().close(DOCUMENT, revision=7)
    for at in range(len(sealed)):
        for bit in range(8):
            refused(seal(), sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :])


def test_every_cut_is_refused() -> None:
    sealed = seal().close(DOCUMENT, revision=7)
    for size in range(len(sealed)):
        refused(seal(), sealed[:size])
        refused(seal(), sealed[size + 1 :])
    refused(seal(), sealed + b" ")


def test_leaving_the_seal_away_is_refused() -> None:
    """Otherwise it would protect nothing."""
    assert "is not sealed" in refused(seal(), DOCUMENT)


@pytest.mark.parametrize("plain", [Plaintext(), None])
def test_without_a_sealer_there_is_no_seal_and_a_sealed_one_names_the_missing_setting(plain) -> None:
    unsealed = DocumentSeal(plain, ring="default")
    assert unsealed.close(DOCUMENT, revision=7) == DOCUMENT
    assert unsealed.open(DOCUMENT, revision=99) == DOCUMENT
    assert unsealed.is_current(DOCUMENT, revision=7)
    assert "give the sealer=Sealer([...])" in refused(unsealed, seal().close(DOCUMENT, revision=7))


def test_no_message_shows_a_key_or_a_tag() -> None:
    sealed = seal().close(DOCUMENT, revision=6)
    for message in (refused(seal(), sealed), refused(DocumentSeal(None, ring="default"), sealed)):
        assert sealed.partition(b"\n")[0].decode() not in message
        assert base64url.encode(ONE) not in message
