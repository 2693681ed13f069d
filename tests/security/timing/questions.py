"""What somebody without a key could try to learn by a clock: pairs of inputs that differ in one secret thing."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from hmac import digest as mac
from typing import Any

from mintkey import MintkeyError, Purpose, TokenService, TokenVerifier
from mintkey.ids import random_bytes
from mintkey.jose import base64url
from mintkey.jose.prepared import verification_key
from mintkey.keys import Sealer, StaticKeyProvider
from mintkey.oauth import pkce
from tests.support.signing_keys import jwk_of, key_for

__all__ = ["OPEN", "SECRET", "Question", "naive"]

Call = Callable[[], object]

ACCESS = Purpose("access", lifetime=timedelta(minutes=5))
INPUT = b"e30.eyJzdWIiOiIyMCJ9"


@dataclass(frozen=True, slots=True)
class Question:
    """Two calls, and what could be learnt if they took different times."""

    about: str
    ask: Callable[[], tuple[Call, Call]]


def differing(right: bytes) -> tuple[bytes, bytes]:
    """Two wrong spellings of something: the one is wrong at its first byte, the other at its last."""
    makers: list[Callable[[], bytes]] = [
        lambda: bytes([right[0] ^ 1]) + right[1:],
        lambda: right[:-1] + bytes([right[-1] ^ 1]),
    ]
    # Neither is always the one that was made first: where it lies in memory tells nothing of its kind.
    if random_bytes(1) < b"\x80":
        return makers[0](), makers[1]()
    last = makers[1]()
    return makers[0](), last


def hmac(algorithm: Any) -> tuple[Call, Call]:
    """Wrong at the first byte, wrong at the last: how much of a signature is right."""
    key: Any = verification_key(key_for(algorithm))
    first, last = differing(mac(key_for(algorithm).private, INPUT, f"sha{algorithm[2:]}"))
    return partial(key.verify, INPUT, first), partial(key.verify, INPUT, last)


def naive(_algorithm: Any = "HS256") -> tuple[Call, Call]:
    """The same of a verifier that compares byte by byte: to see that it would be noticed."""
    right = bytes(range(32))
    first, last = differing(right)

    def verify(signature: bytes) -> bool:
        for ours, theirs in zip(right, signature, strict=True):  # noqa: SIM110 - this is the defect
            if ours != theirs:
                return False
        return True

    return partial(verify, first), partial(verify, last)


def document() -> tuple[Call, Call]:
    """Tags of ring documents, wrong at the first character and at the last."""
    sealer = Sealer([bytes(range(32))])
    first, last = differing(sealer.authenticate(b"document"))
    return partial(sealer.is_authentic, b"document", first), partial(sealer.is_authentic, b"document", last)


def verifier_of_pkce() -> tuple[Call, Call]:
    """Challenges, wrong at the first character and at the last."""
    proof = pkce.new_verifier()
    first, last = (text.decode("latin-1") for text in differing(pkce.challenge(proof).encode()))
    return partial(pkce.matches, proof, first), partial(pkce.matches, proof, last)


class Tokens:
    """A service with one key, and forged tokens of its key."""

    def __init__(self, algorithm: Any) -> None:
        keys = StaticKeyProvider({"keys": [jwk_of(algorithm)]})
        service = TokenService(issuer="https://myapp.example", keys=keys)
        token = str(asyncio.run(service.mint(ACCESS, subject="20", claims={"plan": "free"})))
        self.header, self.payload, self.signature = token.split(".")
        self.kid = key_for(algorithm).kid
        self._verifier = TokenVerifier(issuer="https://myapp.example", keys=keys)
        asyncio.run(self._verifier.peek(token, ACCESS))  # opens what is to be opened

    def refusal(self, token: str) -> Call:
        """The refusal of a token, all of it."""
        verifier = self._verifier

        def refuse() -> None:
            verifier._pace.free = 1  # nobody else is waiting for a turn
            coroutine = verifier.peek(token, ACCESS)
            with suppress(MintkeyError, StopIteration):
                coroutine.send(None)

        return refuse

    def with_kid(self, kid: str) -> str:
        """The token under another kid."""
        header = base64url.decode(self.header).replace(self.kid.encode(), kid.encode())
        return f"{base64url.encode(header)}.{self.payload}.{self.signature}"


@cache
def tokens_of(algorithm: str = "HS256") -> Tokens:
    """The same ones every time."""
    return Tokens(algorithm)


def whole_refusal() -> tuple[Call, Call]:
    """Tokens whose signature is wrong at its first byte, and at its last."""
    tokens = tokens_of()
    first, last = (base64url.encode(text) for text in differing(base64url.decode(tokens.signature)))
    front = f"{tokens.header}.{tokens.payload}."
    return tokens.refusal(front + first), tokens.refusal(front + last)


def payload_of_a_forgery() -> tuple[Call, Call]:
    """Forged tokens: one that is long expired, one that is not."""
    tokens = tokens_of()
    expired = base64url.decode(tokens.payload).replace(b'"exp":', b'"exp":-')[: len(base64url.decode(tokens.payload))]
    wrong = base64url.encode(differing(base64url.decode(tokens.signature))[0])
    return tokens.refusal(f"{tokens.header}.{base64url.encode(expired)}.{wrong}"), tokens.refusal(
        f"{tokens.header}.{tokens.payload}.{wrong}"
    )


def kids() -> tuple[Call, Call]:
    """Kids of which nobody has a key: all but one character right, and none."""
    tokens = tokens_of()
    near = tokens.kid[:-1] + ("A" if tokens.kid[-1] != "A" else "B")
    far = "~" * len(tokens.kid)
    return tokens.refusal(tokens.with_kid(near)), tokens.refusal(tokens.with_kid(far))


def is_a_kid_known(algorithm: Any) -> tuple[Call, Call]:
    """A kid of which nobody has a key, and a wrong signature under one of which there is a key."""
    tokens = tokens_of(algorithm)
    wrong = base64url.encode(differing(base64url.decode(tokens.signature))[1])
    known = f"{tokens.header}.{tokens.payload}.{wrong}"
    return tokens.refusal(tokens.with_kid("~" * len(tokens.kid))), tokens.refusal(known)


SECRET: Mapping[str, Question] = {
    "HS256": Question("how much of an HS256 signature is right", lambda: hmac("HS256")),
    "HS384": Question("how much of an HS384 signature is right", lambda: hmac("HS384")),
    "HS512": Question("how much of an HS512 signature is right", lambda: hmac("HS512")),
    "refusal": Question("the same, by the refusal of a whole token", whole_refusal),
    "payload": Question("whether a forged token has expired as well", payload_of_a_forgery),
    "kid": Question("how much of a kid is right", kids),
    "document": Question("how much of a ring's tag is right", document),
    "PKCE": Question("how much of a PKCE challenge is right", verifier_of_pkce),
}
"""What must not be told by a clock."""

OPEN: Mapping[str, Question] = {
    "known kid, HS256": Question("whether there is an HS256 key of this kid", lambda: is_a_kid_known("HS256")),
    "known kid, EdDSA": Question("whether there is an EdDSA key of this kid", lambda: is_a_kid_known("EdDSA")),
    "known kid, RS256": Question("whether there is an RS256 key of this kid", lambda: is_a_kid_known("RS256")),
}
"""What a clock tells, and everybody may know."""
