"""How the guard of a recipe refuses requests: the rows of its page's table, as a client meets them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mintkey import Purpose, TokenService
from mintkey.keys import MemoryKeyProvider

__all__ = ["ISSUER", "Ask", "bearer", "refusals", "row", "with_a_key_of_nobody"]

ISSUER = "https://myapp.example"

Ask = Callable[[Sequence[tuple[str, str]]], Awaitable[tuple[int, Mapping[str, str]]]]
"""Sends a request with these headers; the answer's status and headers, their names in lower case."""


def bearer(token: str) -> tuple[str, str]:
    """The header that carries a token."""
    return "Authorization", f"Bearer {token}"


def row(what: str, answer: tuple[int, Mapping[str, str]]) -> list[str]:
    """A row of the table."""
    status, headers = answer
    told = [
        f"`{name}: {headers[name.lower()]}`" for name in ("WWW-Authenticate", "Retry-After") if name.lower() in headers
    ]
    return [what, str(status), " ".join(told)]


async def refusals(
    ask: Ask, tokens: TokenService, purpose: Purpose[Any], *, both: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """The rows for everything that does not take an outage.

    Args:
        ask: Sends a request to a route that needs a scope.
        tokens: A service with the keys of the application.
        purpose: What the route's tokens are for.
        both: Headers that carry a second token.
    """
    poor = await tokens.mint(purpose, subject="20")
    tampered = poor[:-8] + ("A" * 8 if poor[-8:] != "A" * 8 else "B" * 8)
    bad = [await ask([bearer(token)]) for token in (tampered, "..", 'x"y, z', "a" * 20_000)]
    told = [row("a bad token", answer) for answer in bad]
    assert told == told[:1] * len(bad)
    return [
        row("no token", await ask([])),
        row("two tokens", await ask([bearer(poor), *both])),
        told[0],
        row("a good token without the scope", await ask([bearer(poor)])),
    ]


async def with_a_key_of_nobody(purpose: Purpose[Any]) -> str:
    """A token of ours in everything but its key, which has to be looked up."""
    return await TokenService(issuer=ISSUER, keys=MemoryKeyProvider()).mint(
        purpose, subject="20", scopes=["orders:read"]
    )
