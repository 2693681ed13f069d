"""`alg: none` and its spellings (RFC 7518 §3.6, RFC 8725 §2.1): a token that says that it needs no signature."""

import hashlib
import hmac
from collections.abc import Iterator

from mintkey import Reason
from mintkey.jose.base64url import encode
from tests.security.attacks.case import Case, refused
from tests.security.attacks.forge import Forge

__all__ = ["unsecured"]

_SPELLINGS = {
    "none": "none",
    "None": "None",
    "NONE": "NONE",
    "nOnE": "nOnE",
    "noNe": "noNe",
    "empty": "",
    "null as text": "null",
    "undefined": "undefined",
    "false as text": "false",
    "zero": "0",
    "leading space": " none",
    "trailing space": "none ",
    "trailing newline": "none\n",
    "trailing tab": "none\t",
    "trailing NUL": "none\0",
    "NUL before an algorithm": "none\0HS256",
    "zero-width space": "none\u200b",
    "Cyrillic o": "n\u043ene",
    "full width": "\uff4e\uff4f\uff4e\uff45",
    "small capital": "\u0274one",
    "soft hyphen": "no\u00adne",
    "list in text": "['none']",
    "two in one": "none,HS256",
    "object identifier": "1.3.14.3.2.26",
}
_ESCAPED = {
    "escaped letter": r"n\u006fne",
    "all escaped": r"\u006e\u006f\u006e\u0065",
    "escaped slash": r"none\/",
    "escaped NUL": r"none\u0000",
}
_TYPES = {"null": "null", "false": "false", "true": "true", "zero": "0", "list": '["none"]', "object": '{"none":1}'}


def unsecured(forge: Forge) -> Iterator[Case]:
    """All spellings, each without a signature and with several that mean nothing."""
    why = "no signature is asked for, so everybody can write tokens"
    signatures = {
        "no signature": b"",
        "one zero": b"\0",
        "the good signature": forge.signature,
        "zeros": bytes(len(forge.signature)),
    }
    headers = {name: dict(forge.header, alg=spelling) for name, spelling in _SPELLINGS.items()}
    for name, header in headers.items():
        for with_what, signature in signatures.items():
            token = forge.with_signature(signature, header)
            yield refused(f"{name}, {with_what}", token, Reason.ALGORITHM_MISMATCH, why)
    for name, spelling in _ESCAPED.items():
        text = f'{{"alg":"{spelling}","kid":"{forge.key.kid}","typ":"magic-login+jwt"}}'
        yield refused(name, forge.with_signature(b"", text), Reason.ALGORITHM_MISMATCH, why)
        signed = f"{name}, really signed"
        yield refused(signed, forge.token(text), Reason.ALGORITHM_MISMATCH, "what the header says must be true")
    for name, value in _TYPES.items():
        text = f'{{"alg":{value},"kid":"{forge.key.kid}","typ":"magic-login+jwt"}}'
        yield refused(f"{name} instead of a name", forge.with_signature(b"", text), Reason.MALFORMED, why)
    yield from _otherwise(forge, why)


def _otherwise(forge: Forge, why: str) -> Iterator[Case]:
    none = {**forge.header, "alg": "none"}
    without = {name: value for name, value in forge.header.items() if name != "alg"}
    yield refused("no alg at all", forge.with_signature(b"", without), Reason.MALFORMED, why)
    yield refused("no alg, really signed", forge.token(without), Reason.MALFORMED, "an algorithm must be named")
    yield refused("no alg, no kid, no typ", forge.with_signature(b"", {}), Reason.MALFORMED, why)
    yield refused("none and no kid", forge.with_signature(b"", {"alg": "none"}), Reason.MALFORMED, why, bare=_MISMATCH)
    yield refused("none, really signed", forge.token(none), _MISMATCH, "the header contradicts the key")
    yield refused("none, two segments", forge.signing_input(none), Reason.MALFORMED, why)
    yield refused("none, two segments and a dot too many", forge.signing_input(none) + "..", Reason.MALFORMED, why)
    yield refused("good header, no signature", forge.signing_input() + ".", Reason.SIGNATURE_INVALID, why)
    yield refused("good header, signature left out", forge.signing_input(), Reason.MALFORMED, why)
    signed = forge.signing_input(none)
    for secret in (b"", b"none", b"\0"):
        tag = encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
        yield refused(f"none with an HMAC under {secret!r}", f"{signed}.{tag}", _MISMATCH, why)


_MISMATCH = Reason.ALGORITHM_MISMATCH
