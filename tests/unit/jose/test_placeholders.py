"""Secrets that nobody drew."""

import pytest

from mintkey.ids import random_bytes
from mintkey.jose.base64url import encode
from mintkey.jose.placeholders import looks_like_placeholder


@pytest.mark.parametrize(
    "secret",
    [
        bytes(32),
        b"x" * 64,
        b"ab" * 16,
        b"changeme" * 4,
        b"0123456789abcdef" * 2,
        bytes(range(32)),
        bytes(range(64, 0, -1)),
        b"abcdefghijklmnopqrstuvwxyz0123456789",
        b"your-256-bit-secret-goes-right-here",
        b"a-string-secret-at-least-256-bits-long",
        b"CHANGE_ME_before_you_go_to_production!",
        b"please-replace-this-value-with-a-key",
        b"thisisaverylongsecretkeythatshouldbechanged",
        b"test_key_only_for_the_unit_tests_of_us",
        b"Passw0rd!Passw0rd!Passw0rd!Passw0rd?",
    ],
)
def test_what_somebody_typed_is_a_placeholder(secret: bytes) -> None:
    assert looks_like_placeholder(secret)


@pytest.mark.parametrize("size", [32, 48, 64])
def test_what_was_drawn_is_none_in_any_of_its_spellings(size: int) -> None:
    for _ in range(50):
        secret = random_bytes(size)
        for spelling in (secret, secret.hex().encode(), encode(secret).encode(), str(int.from_bytes(secret)).encode()):
            assert not looks_like_placeholder(spelling)


def test_a_drawn_secret_may_say_what_it_is() -> None:
    assert not looks_like_placeholder(b"my-secret-" + b"4f3a9c0d17be52886a01ffe2937d4c5b")
    assert not looks_like_placeholder(b"secret\xff\x00\x17" + random_bytes(32))
