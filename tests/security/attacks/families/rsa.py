"""RSA signatures whose number is right and whose padding is not (RFC 8017 §8.2.2, §9.1.2, §9.2)."""

import hashlib
import hmac
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

from mintkey import Reason
from tests.security.attacks.case import Case, accepted, refused
from tests.security.attacks.forge import Forge

__all__ = ["rsa"]

_INVALID = Reason.SIGNATURE_INVALID
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - it is what must be refused
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PREFIXES = {
    "md5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def rsa(forge: Forge) -> Iterator[Case]:
    """Numbers out of range, then encoded messages that only the key's holder can make, each with one thing wrong."""
    if forge.spec.kty != "RSA":
        return
    numbers = forge.key.private.private_numbers()
    n, size = numbers.public_numbers.n, len(forge.signature)
    good = int.from_bytes(forge.signature, "big")
    bad = {"0": 0, "1": 1, "2": 2, "n - 1": n - 1, "n": n, "n + 1": n + 1, "n - s": n - good, "s + 1": good + 1}
    for name, number in bad.items():
        token = forge.with_signature(number.to_bytes(size, "big"))
        yield refused(f"the number {name}", token, _INVALID, "trivial powers, and numbers out of range")
    yield refused(
        "s + n", forge.with_signature((good + n).to_bytes(size + 1, "big")), _INVALID, "a second spelling of it"
    )
    yield refused("little-endian", forge.with_signature(forge.signature[::-1]), _INVALID, "the wrong way round")
    for name, signature in _by_other_schemes(forge).items():
        yield refused(name, forge.with_signature(signature), _INVALID, "one key has one scheme (RFC 8725 §3.1)")
    messages = _pss(forge, size) if forge.algorithm.startswith("PS") else _pkcs1(forge, size)
    for name, encoded in messages.items():
        token = forge.with_signature(_power(forge, encoded).to_bytes(size, "big"))
        if name == "by the book":
            yield accepted(name, token, "the same arithmetic without a mistake: the others are refused for theirs")
        else:
            yield refused(f"padding: {name}", token, _INVALID, "who reads padding leniently can be given forgeries")


def _power(forge: Forge, encoded: bytes) -> int:
    """The encoded message to the power of d, by the two primes, which is four times as fast."""
    numbers = forge.key.private.private_numbers()
    message = int.from_bytes(encoded, "big")
    one, two = pow(message, numbers.dmp1, numbers.p), pow(message, numbers.dmq1, numbers.q)
    found: int = two + numbers.q * (numbers.iqmp * (one - two) % numbers.p)
    return found


def _by_other_schemes(forge: Forge) -> dict[str, bytes]:
    key, signed, own = forge.key.private, forge.signed, forge.spec.digest
    signatures: dict[str, bytes] = {}
    for name, kind in _HASHES.items():
        if name != own or forge.algorithm.startswith("PS"):
            signatures[f"PKCS #1 with {name}"] = key.sign(signed, PKCS1v15(), kind)
        if name != own or forge.algorithm.startswith("RS"):
            signatures[f"PSS with {name}"] = key.sign(signed, PSS(MGF1(kind), kind.digest_size), kind)
    if forge.algorithm.startswith("PS"):
        kind = _HASHES[own]
        for salt in (0, 1, 20, kind.digest_size - 1, kind.digest_size + 1, PSS.MAX_LENGTH):
            label = salt if isinstance(salt, int) else "of any size"
            signatures[f"PSS with a salt of {label}"] = key.sign(signed, PSS(MGF1(kind), salt), kind)
        for name, other in _HASHES.items():
            if name != own:
                padding = PSS(MGF1(other), kind.digest_size)
                signatures[f"PSS with a mask by {name}"] = key.sign(signed, padding, kind)
    return signatures


def _pkcs1(forge: Forge, size: int) -> dict[str, bytes]:
    digest = forge.spec.digest
    hashed = hashlib.new(digest, forge.signed).digest()
    info = _PREFIXES[digest] + hashed
    # Without the NULL of its parameters, two lengths are two less (RFC 8017, appendix A.2.4).
    length = len(hashed)
    no_null = bytes([0x30, length + 15, 0x30, 0x0B]) + _PREFIXES[digest][4:15] + b"\x04" + bytes([length]) + hashed

    def framed(content: bytes, *, filler: bytes = b"\xff", start: bytes = b"\0\1", end: bytes = b"\0") -> bytes:
        return start + filler * (size - len(content) - len(start) - len(end)) + end + content

    short = b"\0\1" + b"\xff" * 8 + b"\0" + info
    return {
        "by the book": framed(info),
        "no NULL": framed(no_null),
        "garbage behind": short + b"\0" * (size - len(short)),
        "ff behind": short + b"\xff" * (size - len(short)),
        "no end mark": framed(info, end=b"\xff"),
        "zeros for ff": framed(info, filler=b"\0"),
        "fe for ff": framed(info, filler=b"\xfe"),
        "block type 0": framed(info, start=b"\0\0"),
        "block type 2": framed(info, start=b"\0\2"),
        "first byte 1": framed(info, start=b"\1\1"),
        "hash alone": framed(hashed),
        "hash alone, no padding": hashed.rjust(size, b"\0"),
        "called md5": framed(_PREFIXES["md5"] + hashed),
        "called sha1": framed(_PREFIXES["sha1"] + hashed),
        "called by another name": framed(_PREFIXES["sha512" if digest != "sha512" else "sha256"] + hashed),
        "hash cut short": framed(info[:-1]),
        "hash and a zero": framed(info + b"\0"),
        "long form of a length": framed(b"\x30\x81" + info[1:]),
        "another hash": framed(_PREFIXES[digest] + hashlib.new(digest, b"other").digest()),
        "empty": framed(b""),
        "message itself": framed(forge.signed[: size - 16]),
    }


def _pss(forge: Forge, size: int) -> dict[str, bytes]:
    digest = forge.spec.digest
    hashed = hashlib.new(digest, forge.signed).digest()
    length = len(hashed)
    bits = forge.key.private.key_size - 1

    def encoded(
        *,
        salt: bytes = b"s" * length,
        trailer: bytes = b"\xbc",
        mark: bytes = b"\1",
        filler: bytes = b"\0",
        front: bytes = bytes(8),
        clear: bool = True,
        message: bytes = hashed,
    ) -> bytes:
        inner = hashlib.new(digest, front + message + salt).digest()
        block = filler * (size - len(salt) - length - 2) + mark + salt
        masked = int.from_bytes(block, "big") ^ int.from_bytes(_mask(digest, inner, len(block)), "big")
        if clear:
            masked &= (1 << (bits - 8 * (length + 1))) - 1
        return masked.to_bytes(len(block), "big") + inner + trailer

    return {
        "by the book": encoded(),
        "salt of zeros": encoded(salt=bytes(length), mark=b"\2"),
        "trailer cc": encoded(trailer=b"\xcc"),
        "trailer 00": encoded(trailer=b"\0"),
        "no mark": encoded(mark=b"\0"),
        "mark 2": encoded(mark=b"\2"),
        "filler is not zero": encoded(filler=b"\0" * 0 + b"\5"),
        "eight zeros left out": encoded(front=b""),
        "eight ones for them": encoded(front=b"\1" * 8),
        "another hash": encoded(message=hashlib.new(digest, b"other").digest()),
        "hash twice": encoded(message=hashlib.new(digest, hashed).digest()),
        "salt cut short": encoded(salt=b"s" * (length - 1)),
        "salt left out": encoded(salt=b""),
        "hash keyed": encoded(message=hmac.new(b"", forge.signed, digest).digest()),
    }


def _mask(digest: str, seed: bytes, length: int) -> bytes:
    """MGF1 (RFC 8017, appendix B.2.1)."""
    blocks = (hashlib.new(digest, seed + count.to_bytes(4, "big")).digest() for count in range(length // 20 + 1))
    return b"".join(blocks)[:length]
