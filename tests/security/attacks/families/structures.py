"""Something else than three segments: other serialisations, swapped and missing parts, values that are no text."""

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from mintkey import Reason
from mintkey.jose.base64url import encode
from mintkey.tokens import MintedToken
from tests.security.attacks.case import Case, accepted, refused
from tests.security.attacks.forge import NOW, Forge, text_of

__all__ = ["no_texts", "sizes", "structures"]

_MALFORMED = Reason.MALFORMED
_PARTS = ("header", "payload", "signature")
_JWE = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0"


def structures(forge: Forge) -> Iterator[Case]:
    """Cut, swapped, doubled, wrapped."""
    header, payload, signature = forge.segments
    for order in permutations(range(3)):
        if order == (0, 1, 2):
            yield accepted("in order", forge.good, "the good token")
            continue
        name = "-".join(_PARTS[index] for index in order)
        # Base64url throughout: with the header in its place it is the signature that says no, and claims are no header.
        reason = (Reason.SIGNATURE_INVALID, Reason.HEADER_UNSUPPORTED, _MALFORMED)[order[0]]
        yield refused(name, ".".join(forge.segments[index] for index in order), reason, "segments swapped")
    why = "not three segments"
    for dots in (0, 1, 2, 3, 4, 5, 10, 1000):
        yield refused(f"{dots} dots", "." * dots, _MALFORMED, why)
    for count in (1, 2, 4, 5, 6, 12):
        yield refused(f"{count} segments", ".".join((forge.segments * 4)[:count]), _MALFORMED, why)
    cut = {
        "empty": "",
        "dot in front": f".{forge.good}",
        "dot behind": f"{forge.good}.",
        "two dots for one": forge.good.replace(".", "..", 1),
        "token behind a token": f"{forge.good}.{forge.good}",
        "tokens in a row": forge.good * 2,
        "no dot at all": forge.good.replace(".", ""),
        "header alone": header,
        "no header": f".{payload}.{signature}",
        "all empty but the signature": f"..{signature}",
        "all empty but the payload": f".{payload}.",
        "whole token as the header": f"{encode(forge.good.encode())}.{payload}.{signature}",
    }
    for name, token in cut.items():
        yield refused(name, token, _MALFORMED, why)
    why = "detached content is not taken from elsewhere (RFC 7515, appendix F)"
    yield refused("no payload", f"{header}..{signature}", Reason.SIGNATURE_INVALID, why)
    yield refused("no payload, signed so", forge.token(claims=b""), _MALFORMED, why, bare="accepted")
    whole = len(signature) // 4 * 4
    for end in (1, 2, 3, 8):
        token = f"{header}.{payload}.{signature[: whole - 4 * end]}"
        yield refused(f"{end} groups of the signature cut off", token, Reason.SIGNATURE_INVALID, "cut short in transit")
    yield refused("cut in a group", f"{header}.{payload}.{signature[: whole - 3]}", _MALFORMED, "cut short in transit")
    yield from _wrapped(forge)


def _wrapped(forge: Forge) -> Iterator[Case]:
    header, payload, signature = forge.segments
    flat = {"protected": header, "payload": payload, "signature": signature}
    why = "another serialisation (RFC 7515 §7.2): a second parser for the same signature"
    texts: dict[str, Any] = {
        "JSON, flattened": flat,
        "JSON, general": {"payload": payload, "signatures": [{"protected": header, "signature": signature}]},
        "JSON, header not protected": {**flat, "header": {"alg": "none"}},
        "JSON, no signature": {"payload": payload, "signatures": []},
        "JSON, two signatures": {"payload": payload, "signatures": [flat, flat]},
        "JSON, the token": forge.good,
        "JSON, a list": [forge.good],
    }
    for name, value in texts.items():
        yield refused(name, json.dumps(value), _MALFORMED, why)
        yield refused(f"{name}, as base64url", encode(json.dumps(value).encode()), _MALFORMED, why)
    # One reader takes this for three segments, the other one for JSON.
    other = forge.signing_input(claims={**forge.claims, "sub": "admin"}).partition(".")[2]
    mixed = json.dumps({f"{header}.{other}.": "", **flat})
    yield refused("compact and JSON in one", mixed, _MALFORMED, "two readers, two readings")
    yield refused("compact and JSON in one, unquoted", mixed.replace('"', ""), _MALFORMED, "the same")
    why = "encryption is no signature"
    encrypted = {
        "JWE, five segments": f"{_JWE}.AA.AAAA.AAAA.AAAA",
        "JWE, direct": f"{_JWE}..AAAA.AAAA.AAAA",
        "JWE around the token": f"{_JWE}..AAAA.{encode(forge.good.encode())}.AAAA",
        "JWE, our header": f"{header}..{payload}.{signature}.AAAA",
    }
    for name, token in encrypted.items():
        yield refused(name, token, _MALFORMED, why)
    three = f"{_JWE}.{payload}.{signature}"
    yield refused("JWE's header, three segments", three, Reason.HEADER_UNSUPPORTED, why)
    nested = {**forge.header, "cty": "JWT"}
    yield refused("nested", forge.token(nested, forge.good), Reason.HEADER_UNSUPPORTED, "a token within a token")
    yield refused("nested, not declared", forge.token(claims=forge.good), _MALFORMED, "the same", bare="accepted")
    foreign = {
        "PASETO": "v4.public.eyJkYXRhIjoidGhpcyJ9",
        "Macaroon": "MDAxY2xvY2F0aW9uIGh0dHA6Ly8K",
        "itsdangerous": "IjIwIg.aVYA1A.c2lnbmF0dXJlIG9mIDIwIGJ5dA",
        "SD-JWT": f"{forge.good}~WyJhIiwiYiIsImMiXQ~",
        "UUID": "6b8b4567-327b-23c6-643c-986966334873",
        "PEM": "-----BEGIN PUBLIC KEY-----",
        "path": "../../etc/passwd",
    }
    for name, token in foreign.items():
        yield refused(name, token, _MALFORMED, "a token of another kind")


class _Text(str):
    __slots__ = ()


def no_texts(forge: Forge) -> Iterator[Case]:
    """What a framework may hand over when a field is missing, doubled or a file."""
    values: list[Any] = [
        None,
        True,
        0,
        1.5,
        float("nan"),
        forge.good.encode(),
        bytearray(forge.good.encode()),
        memoryview(forge.good.encode()),
        [forge.good],
        (forge.good,),
        {forge.good},
        {"token": forge.good},
        forge.segments,
        object(),
        str,
        ValueError(forge.good),
        iter(forge.good),
        lambda: forge.good,
        NotImplemented,
        2**70,
    ]
    for number, value in enumerate(values):
        yield refused(f"{type(value).__name__}, value {number}", value, _MALFORMED, "a token is a str")
    minted = MintedToken(forge.good, id="1", expires_at=_at(NOW + 540), key_id=forge.key.kid, purpose="magic-login")
    yield accepted("a minted token", minted, "it is a str")
    yield accepted("a str of another class", _Text(forge.good), "it is a str")


def _at(seconds: int) -> Any:
    from mintkey.clock import from_timestamp

    return from_timestamp(seconds)


def sizes(forge: Forge) -> Iterator[Case]:
    """Around the limit of 16,384 characters: exactly at it a token is good, one beyond it is not looked at."""
    limit = 16_384
    for excess, name in ((-4, "below"), (0, "at"), (4, "beyond")):
        token = _of_length(forge, limit + excess)
        if excess <= 0:
            yield accepted(f"{name} the limit", token, "as long as a token may be")
        else:
            yield refused(f"{name} the limit", token, Reason.TOO_LARGE, "nobody reads so much for a stranger")
    for name, text in {
        "one character more": forge.good + "A" * (limit + 1 - len(forge.good)),
        "dots": "." * (limit + 1),
        "quotes": '"' * (limit + 1),
        "letters that are not ASCII": "\u00e9" * (limit + 1),
        "surrogates": "\ud800" * (limit + 1),
        "NULs": "\0" * (limit + 1),
        "a million": "A" * 1_000_000,
        "a million of three segments": "A" * 333_333 + "." + "A" * 333_333 + "." + "A" * 333_333,
        "good tokens": ",".join([forge.good] * 100),
    }.items():
        yield refused(name, text, Reason.TOO_LARGE, "nobody reads so much for a stranger")


def _of_length(forge: Forge, length: int) -> str:
    """A really signed token of exactly so many characters: payload and header are filled up until it fits."""
    for filler in range(4):
        header = text_of(forge.header) + b" " * filler
        fixed = len(forge.token(header, "{}")) - len(encode(b"{}"))
        payload_length = length - fixed
        if payload_length % 4 != 1:
            size = payload_length * 3 // 4
            empty = len(json.dumps({**forge.claims, "fill": ""}, separators=(",", ":")))
            token = forge.token(header, {**forge.claims, "fill": "f" * (size - empty)})
            if len(token) == length:
                return token
    raise AssertionError
