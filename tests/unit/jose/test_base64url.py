"""Base64url: one spelling for each value."""

import base64

import pytest

from mintkey.jose.base64url import decode, encode


@pytest.mark.parametrize("size", range(70))
def test_what_was_encoded_is_decoded(size: int) -> None:
    data = bytes(range(186, 186 + size))
    assert encode(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert decode(encode(data)) == data
    assert decode(encode(data).encode()) == data


def test_every_character_of_the_alphabet_is_known() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert encode(decode(alphabet)) == alphabet


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAAAA",
        "AA==",
        "AAA=",
        "AAAA=",
        "====",
        "AA\n",
        "AAA\n",
        "A A",
        "AAAA\n",
        "\nAAAA",
        "+AAA",
        "/AAA",
        "A.AA",
        "A\0AA",
        "ä",
        "AAä",
        "AAA\u0661",
        "\ud800AAA",
        "ＡＡＡＡ",
        "AAAAAAAAAAAAAAA*",
    ],
)
def test_what_encode_never_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="canonical") as caught:
        decode(text)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("last", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
def test_unused_bits_are_zero(last: str) -> None:
    for text in ("A" + last, "AA" + last):
        lax = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if encode(lax) == text:
            assert decode(text) == lax
        else:
            with pytest.raises(ValueError, match="canonical"):
                decode(text)


def test_every_foreign_byte_is_refused() -> None:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for byte in set(range(256)) - set(alphabet):
        with pytest.raises(ValueError, match="canonical"):
            decode(bytes([65, 65, byte, 65]))
