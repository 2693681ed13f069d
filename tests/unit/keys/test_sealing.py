"""Sealing: what is sealed opens only with a listed key and for what it was bound to."""

import base64
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mintkey.errors import ConfigurationError, KeyProviderError, Reason
from mintkey.jose import base64url
from mintkey.keys.sealing import Plaintext, Sealer, joined

ONE = bytes(range(32))
TWO = bytes(range(32, 64))
PRIVATE = b'{"d":"the private half"}'


def flips(text: str) -> list[str]:
    """The text with each character exchanged once."""
    return [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))]


def test_what_was_sealed_opens():
    sealer = Sealer([ONE])
    assert sealer.open(sealer.seal(PRIVATE, aad=b"a"), aad=b"a") == PRIVATE


def test_an_empty_text_can_be_sealed():
    sealer = Sealer([ONE])
    assert sealer.open(sealer.seal(b"", aad=b""), aad=b"") == b""


@pytest.mark.parametrize(
    "same",
    [
        ONE,
        bytearray(ONE),
        base64url.encode(ONE),
        base64.urlsafe_b64encode(ONE).decode(),
    ],
    ids=["bytes", "bytearray", "base64url", "padded base64url"],
)
def test_a_key_may_be_bytes_or_base64url(same):
    assert Sealer([same]).open(Sealer([ONE]).seal(PRIVATE, aad=b"a"), aad=b"a") == PRIVATE


def test_a_generated_key_is_one_and_never_the_same():
    one, other = Sealer.generate_key(), Sealer.generate_key()
    assert one != other
    assert Sealer([one]).open(Sealer([one]).seal(PRIVATE, aad=b""), aad=b"") == PRIVATE


def test_the_first_key_seals_and_every_key_opens():
    old = Sealer([ONE]).seal(PRIVATE, aad=b"a")
    both = Sealer([TWO, ONE])
    assert both.open(old, aad=b"a") == PRIVATE
    assert Sealer([TWO]).open(both.seal(PRIVATE, aad=b"a"), aad=b"a") == PRIVATE


def test_the_same_text_never_looks_the_same():
    sealer = Sealer([ONE])
    assert len({sealer.seal(PRIVATE, aad=b"a") for _ in range(100)}) == 100


def test_a_sealed_text_is_ascii_without_spaces():
    sealed = Sealer([ONE]).seal(PRIVATE, aad=b"a")
    assert sealed.isascii()
    assert sealed.isprintable()
    assert " " not in sealed


def test_a_sealed_text_is_aes_256_gcm_with_a_nonce_in_front():
    prefix, _, blob = Sealer([ONE]).seal(PRIVATE, aad=b"a").partition(".")
    raw = base64url.decode(blob)
    assert prefix == "sealed1"
    assert AESGCM(ONE).decrypt(raw[:12], raw[12:], b"mintkey private key v1\0a") == PRIVATE


@pytest.mark.parametrize("aad", [b"", b"b", b"a ", b"aa"])
def test_it_opens_only_for_what_it_was_bound_to(aad):
    sealer = Sealer([ONE])
    with pytest.raises(KeyProviderError) as caught:
        sealer.open(sealer.seal(PRIVATE, aad=b"a"), aad=aad)
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE


def test_it_does_not_open_with_another_key():
    with pytest.raises(KeyProviderError, match="another key"):
        Sealer([TWO]).open(Sealer([ONE]).seal(PRIVATE, aad=b"a"), aad=b"a")


def test_every_changed_character_is_noticed():
    sealer = Sealer([ONE])
    for damaged in flips(sealer.seal(PRIVATE, aad=b"a")):
        with pytest.raises(KeyProviderError):
            sealer.open(damaged, aad=b"a")


@pytest.mark.parametrize(
    "text",
    ["", "sealed1", "sealed1.", "sealed1.AA", "sealed1." + "A" * 16, "sealed1.!", "sealed2.AAAA", "é", "sealed1.é"],
)
def test_what_is_no_sealed_text_does_not_open(text):
    with pytest.raises(KeyProviderError):
        Sealer([ONE]).open(text, aad=b"a")


def test_a_sealer_opens_nothing_plain():
    # Otherwise whoever may write to the store puts a plain key of his own in place of a sealed one.
    with pytest.raises(KeyProviderError, match="plain text"):
        Sealer([ONE]).open(Plaintext().seal(PRIVATE, aad=b"a"), aad=b"a")


def test_plaintext_opens_nothing_sealed():
    with pytest.raises(KeyProviderError, match="give the Sealer"):
        Plaintext().open(Sealer([ONE]).seal(PRIVATE, aad=b"a"), aad=b"a")


def test_plaintext_notices_what_it_did_not_write():
    for text in ("", "plain1.!", "private"):
        with pytest.raises(KeyProviderError, match="damaged"):
            Plaintext().open(text, aad=b"")


def test_plaintext_binds_nothing():
    assert Plaintext().open(Plaintext().seal(PRIVATE, aad=b"a"), aad=b"b") == PRIVATE


def test_all_problems_come_at_once_and_without_the_keys():
    with pytest.raises(ConfigurationError) as caught:
        Sealer([b"short-secret-bytes", "not base64url!", ONE, base64url.encode(b"x" * 31), None, "", "A" * 43 + "=="])
    problems = caught.value.details["problems"]
    assert isinstance(problems, tuple)
    assert [problem.split(" ")[0] for problem in problems] == [
        "Sealer.keys[0]",
        "Sealer.keys[1]",
        "Sealer.keys[3]",
        "Sealer.keys[4]",
        "Sealer.keys[5]",
        "Sealer.keys[6]",
    ]
    assert "short-secret" not in str(caught.value)
    assert "not base64url!" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_list_without_keys_is_refused():
    with pytest.raises(ConfigurationError, match="at least one"):
        Sealer([])


@pytest.mark.parametrize("key", [ONE, base64url.encode(ONE)])
def test_one_key_instead_of_a_list_is_refused(key):
    with pytest.raises(ConfigurationError, match="list"):
        Sealer(key)


def test_nobody_shows_a_key():
    sealer = Sealer([ONE, TWO])
    assert repr(sealer) == "<Sealer with 2 key(s)>"
    assert not hasattr(sealer, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(sealer)
    assert repr(Plaintext()) == "Plaintext()"


def test_resealing_puts_the_text_under_the_first_key():
    both = Sealer([TWO, ONE])
    old = Sealer([ONE]).seal(PRIVATE, aad=b"a")
    new = both.reseal(old, aad=b"a")
    assert Sealer([TWO]).open(new, aad=b"a") == PRIVATE
    assert both.reseal(new, aad=b"a") == new


def test_resealing_refuses_what_does_not_open():
    old = Sealer([ONE]).seal(PRIVATE, aad=b"a")
    for sealer, aad in ((Sealer([TWO]), b"a"), (Sealer([ONE]), b"b")):
        with pytest.raises(KeyProviderError):
            sealer.reseal(old, aad=aad)


def test_plain_text_has_no_key_to_replace():
    text = Plaintext().seal(PRIVATE, aad=b"a")
    assert Plaintext().reseal(text, aad=b"a") == text
    with pytest.raises(KeyProviderError):
        Plaintext().reseal(Sealer([ONE]).seal(PRIVATE, aad=b"a"), aad=b"a")


def test_the_first_key_authenticates_and_every_key_is_asked():
    tag = Sealer([ONE]).authenticate(b"message")
    assert Sealer([TWO, ONE]).is_authentic(b"message", tag)
    assert not Sealer([TWO]).is_authentic(b"message", tag)
    assert not Sealer([ONE]).is_authentic(b"massage", tag)
    assert not Sealer([ONE]).is_authentic(b"message", b"")


def test_joined_parts_have_no_two_readings():
    rows = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), (b"", b"abc"), ()]
    assert len({joined(*row) for row in rows}) == len(rows)
