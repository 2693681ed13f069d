"""A real OpenID provider on loopback: `oidc-provider`, certified, run by Node."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from mintkey.oauth import ClientCredentials, discover
from tests.interop.node import NodeProgram

__all__ = ["SECRET", "OidcProvider", "token_of"]

SECRET = "100 % of it: a+b/c=d & e"
"""All of which has to be encoded on its way."""

_PATIENCE = timedelta(seconds=30)


class OidcProvider:
    """A provider that issues JWTs (RFC 9068) to clients by their own credentials. Blocking.

    Args:
        program: `provider.mjs`, running.
        algorithm: What it signs with.
        clients: Their metadata (RFC 7591 §2), by id.

    Attributes:
        issuer: Its URL.
    """

    audience = "https://api.example"
    scope = "orders:read orders:write"

    def __init__(self, program: NodeProgram, algorithm: str, clients: Mapping[str, Mapping[str, Any]]) -> None:
        self._program = program
        registered = [
            {
                "client_id": client_id,
                "grant_types": ["client_credentials"],
                "response_types": [],
                "redirect_uris": [],
                **metadata,
            }
            for client_id, metadata in clients.items()
        ]
        self.issuer = cast(
            "str",
            program.ask("start", algorithm=algorithm, audience=self.audience, scope=self.scope, clients=registered),
        )

    def rotate(self) -> str:
        """Sign with a new key from now on, and keep publishing the old one; the new kid."""
        return cast("str", self._program.ask("rotate"))

    def retire(self) -> str:
        """Publish only the key that signs; its kid."""
        return cast("str", self._program.ask("retire"))

    def fetches(self) -> int:
        """How often its JWK Set was asked for."""
        return cast("int", self._program.ask("fetches"))


async def token_of(provider: OidcProvider, secret: str | None = SECRET, **settings: Any) -> str:
    """A new access token for the client `billing`, got as the provider's metadata say."""
    metadata = await discover(provider.issuer, timeout=_PATIENCE)
    assert metadata.token_endpoint is not None
    async with ClientCredentials(metadata.token_endpoint, "billing", secret, timeout=_PATIENCE, **settings) as client:
        return await client.token()
