"""Tokens that an endpoint must not let in, each bad in its own way, for tests of what outsiders are told."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from mintkey import Purpose, TokenService, presets
from mintkey.errors import KeyProviderError
from mintkey.jose.base64url import decode, encode
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.base import VerificationKey
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock

__all__ = ["ACCESS", "HOSTILE", "LINK", "PURPOSES", "SESSION", "UnreachableKeys", "bad_tokens", "bent", "service"]

MINUTE = timedelta(minutes=1)
ISSUER = "https://issuer.test"

ACCESS: Purpose[dict[str, Any]] = Purpose(
    "access", lifetime=10 * MINUTE, audience="api", typ="at+jwt", required=("sub",), revocable=True
)
SESSION: Purpose[dict[str, Any]] = Purpose("session", lifetime=60 * MINUTE, revocable=True)
LINK: Purpose[dict[str, Any]] = presets.MAGIC_LINK.replace(audience="web")
PURPOSES = [ACCESS, SESSION, LINK]

HOSTILE: list[Any] = [
    "",
    " ",
    ".",
    "..",
    "...",
    "a.b.c",
    "Bearer a.b.c",
    "\x00",
    "é",
    "\ud800",
    "'; DROP TABLE tokens; --",
    "eyJhbGciOiJub25lIn0.e30.",
    "." * 16_384,
    "a" * 1_000_000,
    "e30.e30.e30",
    "IiI.IiI.IiI",
    None,
    b"a.b.c",
    5,
    ["a.b.c"],
    {"token": "a.b.c"},
]
"""What no issuer ever signed, and what is no text at all."""


class UnreachableKeys:
    """A key source that nobody reaches."""

    async def resolve(self, kid: str, /) -> VerificationKey:
        raise KeyProviderError("the keys are away on purpose")

    async def aclose(self) -> None: ...


def service(clock: FakeClock, *, issuer: str = ISSUER, **others: Any) -> TokenService:
    """A service in memory."""
    settings: dict[str, Any] = {"keys": MemoryKeyProvider(clock=clock), "replay": MemoryReplayStore(clock=clock)}
    return TokenService(issuer=issuer, clock=clock, **(settings | others))


def bent(token: str, *, header: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    """The token with another header and its old signature."""
    first, rest = token.split(".", 1)
    return f"{encode(json.dumps(header(json.loads(decode(first)))).encode())}.{rest}"


async def bad_tokens(tokens: TokenService, clock: FakeClock) -> dict[str, Any]:
    """One of each kind; some moments pass while they are made."""
    expired = await tokens.mint(ACCESS, subject="20", lifetime=timedelta(seconds=1))
    old = await tokens.mint(ACCESS, subject="gone")
    clock.advance(MINUTE)
    good = await tokens.mint(ACCESS, subject="20")
    victim = await tokens.mint(ACCESS, subject="21")
    header, payload, signature = good.split(".")
    revoked = await tokens.mint(SESSION, subject="20")
    await tokens.revoke(revoked, SESSION)
    await tokens.revoke_subject("gone", ACCESS)
    spent = await tokens.mint(LINK, subject="20")
    await tokens.verify(spent, LINK)
    later = clock.now() + 30 * MINUTE
    foreign = service(clock, issuer="https://elsewhere.test", keys=tokens._provider)
    strange = Purpose[dict[str, Any]]("password-reset", lifetime=MINUTE)
    claims = json.loads(decode(payload)) | {"sub": "admin"}
    return {
        "expired": expired,
        "revoked": revoked,
        "revoked with its subject": old,
        "spent": spent,
        "not valid yet": await tokens.mint(SESSION, subject="20", not_before=later),
        "of another purpose": await tokens.mint(strange, subject="20"),
        "for another audience": await tokens.mint(ACCESS.replace(audience="other"), subject="20"),
        "from another issuer": await foreign.mint(ACCESS, subject="20"),
        "signed by somebody else": await service(clock).mint(ACCESS, subject="20"),
        "with the payload of another": f"{header}.{victim.split('.')[1]}.{signature}",
        "with claims of its own": f"{header}.{encode(json.dumps(claims).encode())}.{signature}",
        "without a signature": f"{header}.{payload}.",
        "of no algorithm": bent(good, header=lambda members: members | {"alg": "none"}),
        "by a secret": bent(good, header=lambda members: members | {"alg": "HS256"}),
        "with a key of its own": bent(good, header=lambda members: members | {"jwk": {"kty": "oct", "k": "AA"}}),
        "with a path as its kid": bent(good, header=lambda members: members | {"kid": "../../etc/passwd"}),
        "of another type": bent(good, header=lambda members: members | {"typ": "JWT"}),
        "with a space behind it": f"{good} ",
        "with a line end behind it": f"{good}\n",
        "in capitals": good.upper(),
        "twice": f"{good}.{good}",
    }
