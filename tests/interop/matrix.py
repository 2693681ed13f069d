"""What both sides agree on, the two directions of the matrix, and the table that shows it."""

import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

import httpx2
from anyio import to_thread

from mintkey import Purpose, TokenService, TokenVerifier, VerifiedToken, ids, presets
from mintkey.http.httpx import HttpxTransport
from mintkey.keys import StaticKeyProvider
from mintkey.keys.remote import JWKSKeyResolver
from tests.interop.libraries import ALGORITHMS, Issuer, Library
from tests.support.signing_keys import jwk_of, key_for, other_key_for

__all__ = [
    "ACCESS",
    "AUDIENCE",
    "BOTH_WAYS",
    "ISSUER",
    "PATIENCE",
    "accept",
    "claims_of",
    "header_of",
    "ours_there",
    "result",
    "table",
    "theirs_here",
]

ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example"
ACCESS = presets.ACCESS.replace(audience=AUDIENCE)

# Certificates are read once, not for each of some hundred tokens, none of whose keys come over TLS.
_TLS = ssl.create_default_context()
_SCOPES = frozenset({"orders:read", "orders:write"})
BOTH_WAYS = "both ways"
PATIENCE = timedelta(seconds=30)
"""For a machine that has a lot to do besides."""

Publish = Callable[[Mapping[str, Any]], str]
"""Serves a JWK Set, and returns where."""


def claims_of(**changes: Any) -> dict[str, Any]:
    """The claims of a good access token (RFC 9068 §2.2), changed; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "20",
        "aud": AUDIENCE,
        "client_id": "web",
        "iat": now,
        "exp": now + 600,
        "jti": ids.new_id(),
        "scope": " ".join(sorted(_SCOPES)),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def header_of(issuer: Issuer, algorithm: str, **changes: Any) -> dict[str, Any]:
    """The header of a good access token (RFC 9068 §2.1), changed; None leaves a member out."""
    header = {"alg": algorithm, "kid": issuer.kid, "typ": "at+jwt", **changes}
    return {name: value for name, value in header.items() if value is not None}


async def accept(token: str, url: str, purpose: Purpose[dict[str, Any]] = ACCESS) -> VerifiedToken[dict[str, Any]]:
    """What we make of a token whose keys are published there."""
    async with httpx2.AsyncClient(verify=_TLS, timeout=None) as client:
        keys = JWKSKeyResolver(url, transport=HttpxTransport(client), timeout=PATIENCE)
        async with TokenVerifier(issuer=ISSUER, keys=keys) as verifier:
            return await verifier.verify(token, purpose)


async def ours_there(library: Library, algorithm: str, publish: Publish) -> None:
    """A token of ours is accepted by a library that fetched our JWK Set, in which there are two keys."""
    keys = {"keys": [jwk_of(algorithm), dict(other_key_for(algorithm).private_jwk)]}
    provider = StaticKeyProvider(keys, active=key_for(algorithm).kid)
    async with TokenService(issuer=ISSUER, keys=provider) as tokens:
        token = await tokens.mint(ACCESS, subject="20", claims={"client_id": "web"}, scopes=_SCOPES)
        url = publish((await tokens.jwks()).as_dict())
    seen = await to_thread.run_sync(
        lambda: library.accept(str(token), url=url, algorithm=algorithm, issuer=ISSUER, audience=AUDIENCE)
    )
    assert (seen["sub"], seen["client_id"], seen["jti"]) == ("20", "web", token.id)
    assert set(seen["scope"].split()) == _SCOPES


async def theirs_here(library: Library, algorithm: str, publish: Publish) -> None:
    """A token of a library is accepted by us, who fetched the JWK Set that it wrote."""
    issuer = await to_thread.run_sync(library.issuer, algorithm)
    claims = claims_of()
    token = await to_thread.run_sync(issuer.sign, header_of(issuer, algorithm), claims)
    seen = await accept(token, publish(issuer.jwks))
    assert (seen.subject, seen.issuer, seen.audience, seen.id) == ("20", ISSUER, (AUDIENCE,), claims["jti"])
    assert (seen.scopes, seen.claims, seen.key_id) == (_SCOPES, {"client_id": "web"}, issuer.kid)


_DIRECTIONS: tuple[tuple[str, Callable[[Library, str, Publish], Awaitable[None]]], ...] = (
    ("ours there", ours_there),
    ("theirs here", theirs_here),
)


async def result(library: Library, algorithm: str, publish: Publish) -> str:
    """What a cell of the table says, from trying it out."""
    failures: list[str] = []
    for name, direction in _DIRECTIONS:
        try:
            await direction(library, algorithm, publish)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the table
            failures.append(f"not {name}: {type(error).__name__}")
    return ", ".join(failures) or BOTH_WAYS


def table(results: Mapping[str, Collection[str]]) -> str:
    """The table, from the cells of each library by its name, in the order of the algorithms."""
    rows = [("", *ALGORITHMS), ("---",) * (1 + len(ALGORITHMS)), *((name, *row) for name, row in results.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
