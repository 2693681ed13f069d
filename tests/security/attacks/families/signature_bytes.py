"""Signatures that are not the key's: flipped, cut, extended, of something else, of somebody else; and HMAC's."""

import hashlib
import hmac
from collections.abc import Iterator

from mintkey import Reason
from mintkey.jose.base64url import decode, encode
from tests.security.attacks.case import Case, refused
from tests.security.attacks.forge import ISSUER, Forge

__all__ = ["signature_bytes"]

_INVALID = Reason.SIGNATURE_INVALID


def signature_bytes(forge: Forge) -> Iterator[Case]:
    """What every algorithm has in common."""
    good = forge.signature
    for position in _positions(len(good)):
        for bit in (0, 7):
            flipped = bytearray(good)
            flipped[position] ^= 1 << bit
            token = forge.with_signature(bytes(flipped))
            yield refused(f"byte {position - len(good)}, bit {bit}", token, _INVALID, "one bit off")
    for name, signature in _shapes(good).items():
        yield refused(name, forge.with_signature(signature), _INVALID, "no signature of that length or form")
    for name, message in _messages(forge).items():
        token = forge.with_signature(forge.sign(message))
        yield refused(f"signature of {name}", token, _INVALID, "signed by the key, but something else")
    yield from _moved(forge)
    if forge.is_symmetric:
        yield from _macs(forge)


def _positions(size: int) -> list[int]:
    """Sixteen of them, the first and the last among them."""
    return sorted({round(step * (size - 1) / 15) for step in range(16)})


def _shapes(good: bytes) -> dict[str, bytes]:
    size = len(good)
    shapes = {f"{count} zeros": bytes(count) for count in (1, 16, 32, 63, 64, 65, 96, 128, 132, 256, 512, 4096)}
    shapes |= {
        "zeros of the right size": bytes(size),
        "ones of the right size": b"\xff" * size,
        "01 of the right size": b"\x01" * size,
        "the good one backwards": good[::-1],
        "its halves swapped": good[size // 2 :] + good[: size // 2],
        "twice": good * 2,
        "zero in front": b"\0" + good,
        "zero behind": good + b"\0",
        "zero in front, last byte gone": b"\0" + good[:-1],
        "newline behind": good + b"\n",
        "ff behind": good + b"\xff",
        "as hex": good.hex().encode(),
        "as base64url": encode(good).encode(),
        "inverted": bytes(byte ^ 0xFF for byte in good),
        "first half": good[: size // 2],
        "second half": good[size // 2 :],
        "first byte": good[:1],
        "11,000 ones": b"\xff" * 11_000,
    }
    shapes |= {f"{count} bytes cut off": good[:-count] for count in (1, 2, 3, 4, 8, 16)}
    shapes |= {f"{count} bytes cut off in front": good[count:] for count in (1, 2, 8)}
    shapes |= {f"{count} bytes more": good + b"A" * count for count in (1, 2, 3, 4, 16, 64, 1000)}
    return shapes


def _messages(forge: Forge) -> dict[str, bytes]:
    header, payload, _ = forge.segments
    return {
        "nothing": b"",
        "the header alone": header.encode(),
        "the payload alone": payload.encode(),
        "the decoded payload": decode(payload),
        "header and payload decoded": decode(header) + b"." + decode(payload),
        "both without the dot": f"{header}{payload}".encode(),
        "both with a dot more": f"{header}.{payload}.".encode(),
        "both swapped": f"{payload}.{header}".encode(),
        "both and a newline": f"{header}.{payload}\n".encode(),
        "both in upper case": f"{header}.{payload}".upper().encode(),
        "both in UTF-16": f"{header}.{payload}".encode("utf-16-le"),
        "a hash of both": hashlib.sha256(forge.signed).digest(),
        "a hash of both, in hex": hashlib.sha256(forge.signed).hexdigest().encode(),
        "the whole token": forge.good.encode(),
        "a payload that is not encoded (RFC 7797)": header.encode() + b"." + decode(payload),
        "the kid": forge.key.kid.encode(),
    }


def _moved(forge: Forge) -> Iterator[Case]:
    """Good parts of good tokens, put together anew."""
    why = "every part is good, and they do not belong together"
    admin = forge.signing_input(claims={**forge.claims, "sub": "admin"}).partition(".")[2]
    header, payload, signature = forge.segments
    other_header = forge.signing_input({**forge.header, "typ": "at+jwt"}).partition(".")[0]
    yield refused("another payload", f"{header}.{admin}.{signature}", _INVALID, why)
    yield refused("another header", f"{other_header}.{payload}.{signature}", _INVALID, why)
    named = forge.signing_input({**forge.header, "typ": "application/magic-login+jwt"}).partition(".")[0]
    yield refused("the same header, spelled otherwise", f"{named}.{payload}.{signature}", _INVALID, why)
    spaced = encode(decode(payload) + b" ")
    yield refused("the same payload and a space", f"{header}.{spaced}.{signature}", _INVALID, why)
    for name in forge.claims:
        claims = {key: value for key, value in forge.claims.items() if key != name}
        yield refused(f"without {name}", forge.with_signature(forge.signature, claims=claims), _INVALID, why)
    for name, value in {"exp": 99_999_999_999, "iss": f"{ISSUER}0", "aud": "myapp.admin", "admin": True}.items():
        bent = {**forge.claims, name: value}
        yield refused(f"with another {name}", forge.with_signature(forge.signature, claims=bent), _INVALID, why)
        yield refused(f"with another {name}, not signed", forge.with_signature(b"", claims=bent), _INVALID, why)
        token = forge.token(claims=bent, by_other=True)
        yield refused(f"with another {name}, signed by another", token, _INVALID, why)


def _macs(forge: Forge) -> Iterator[Case]:
    """A tag that is shorter, longer, or of another construction under the right secret."""
    secret, digest, signed = forge.key.private, forge.spec.digest, forge.signed
    tag = forge.signature
    constructions = {
        "hash of secret and message": hashlib.new(digest, secret + signed).digest(),
        "hash of message and secret": hashlib.new(digest, signed + secret).digest(),
        "hash of the message": hashlib.new(digest, signed).digest(),
        "roles swapped": hmac.new(signed, secret, digest).digest(),
        "secret as text": hmac.new(forge.jwk["k"].encode(), signed, digest).digest(),
        "HMAC of an HMAC": hmac.new(secret, tag, digest).digest(),
        "by BLAKE2": hashlib.blake2b(signed, key=secret[:64], digest_size=len(tag)).digest(),
        "by SHA-3": hmac.new(secret, signed, "sha3_512").digest()[: len(tag)],
        "by MD5": hmac.new(secret, signed, "md5").digest(),
        "by SHA-1": hmac.new(secret, signed, "sha1").digest(),
    }
    constructions |= {f"{size} bytes of it": tag[:size] for size in (1, 4, 8, 10, 12, 16, 20, 31)}
    for name, bent in constructions.items():
        yield refused(f"HMAC: {name}", forge.with_signature(bent), _INVALID, "not the whole tag of this construction")
