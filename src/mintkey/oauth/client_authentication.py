"""How a client proves to a token endpoint who it is (RFC 6749 §2.3, RFC 7523 §2.2)."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn, Protocol
from urllib.parse import quote_plus

from mintkey.purpose import Purpose
from mintkey.service import TokenService

__all__ = ["ClientAuthentication", "ClientSecretBasic", "ClientSecretPost", "PrivateKeyJWT", "Proof"]

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What goes into one request.

    Attributes:
        form: Parameters of the body.
        headers: Header fields.

    Example:
        >>> Proof(form={"client_id": "billing"}).form["client_id"]
        'billing'
    """

    form: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class ClientAuthentication(Protocol):
    """Proves who the client is.

    Example:
        ```python
        class ByCertificate:
            def problems(self, client_id: str, /) -> Sequence[str]:
                return ()

            async def prove(self, client_id: str, /, *, token_url: str) -> Proof:
                return Proof(form={"client_id": client_id})  # the connection proves it (RFC 8705 §2)
        ```
    """

    def problems(self, client_id: str, /) -> Sequence[str]:
        """Why this cannot work for that client: sentences, each naming a setting."""
        ...

    async def prove(self, client_id: str, /, *, token_url: str) -> Proof:
        """What to add to the next request."""
        ...


class _WithSecret:
    """A client that has a secret.

    Args:
        secret: The client's secret.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str, /) -> None:
        self._secret = secret

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, secret and all.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{type(self).__name__} holds a secret and is not pickled or copied")

    def problems(self, _client_id: str, /) -> Sequence[str]:
        """None."""
        return ()


class ClientSecretBasic(_WithSecret):
    """`client_secret_basic`: id and secret in the `Authorization` field, form-encoded first (RFC 6749 §2.3.1)."""

    __slots__ = ()

    async def prove(self, client_id: str, /, *, token_url: str) -> Proof:  # noqa: ARG002 - the same for every endpoint
        """The `Authorization` field."""
        # Encoding comes first: otherwise a colon in the id would end it early.
        pair = f"{quote_plus(client_id)}:{quote_plus(self._secret)}"
        return Proof(headers={"authorization": f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}"})


class ClientSecretPost(_WithSecret):
    """`client_secret_post`: id and secret in the body, for endpoints that cannot do better (RFC 6749 §2.3.1)."""

    __slots__ = ()

    async def prove(self, client_id: str, /, *, token_url: str) -> Proof:  # noqa: ARG002 - the same for every endpoint
        """Two parameters."""
        return Proof(form={"client_id": client_id, "client_secret": self._secret})


class PrivateKeyJWT:
    """`private_key_jwt`: an assertion that our own service mints, so that no secret is ever sent (RFC 7523 §2.2, §3).

    The endpoint verifies it with the keys that `tokens.jwks()` publishes. Every request has one of its own, with an id
    and a short life, so that an assertion seen on the way is worth nothing.

    Args:
        tokens: Mints the assertions; its issuer must be the client id, which is their `iss` and their `sub`.
        audience: The `aud`: by default the token endpoint's URL; many providers want their issuer instead.
        lifetime: How long an assertion lives.

    Raises:
        ConfigurationError: The lifetime is not positive, or the audience is empty (`configuration`).

    Example:
        ```python
        tokens = TokenService(issuer="billing", keys=keys)  # the client id
        provider = ClientCredentials(url, "billing", authentication=PrivateKeyJWT(tokens))
        ```
    """

    __slots__ = ("_audience", "_purpose", "_tokens")

    def __init__(
        self, tokens: TokenService, /, *, audience: str | None = None, lifetime: timedelta = timedelta(minutes=1)
    ) -> None:
        self._tokens = tokens
        self._audience = audience
        # RFC 7523 asks for no type of its own, and many endpoints know only this one.
        self._purpose = Purpose("client-assertion", lifetime=lifetime, audience=audience, typ="JWT")

    def problems(self, client_id: str, /) -> Sequence[str]:
        """One, if the service mints for somebody else."""
        issuer = self._tokens.workings.issuer
        if issuer == client_id:
            return ()
        return (f"the service that mints assertions must have the client id as its issuer (RFC 7523 §3): {issuer!r}",)

    async def prove(self, client_id: str, /, *, token_url: str) -> Proof:
        """An assertion, and the id for endpoints that look for it there.

        Raises:
            ConfigurationError: The service cannot mint such a token (`configuration`).
            KeyProviderError: No key can sign right now.
        """
        audience = token_url if self._audience is None else self._audience
        assertion = await self._tokens.mint(self._purpose, subject=client_id, audience=audience)
        return Proof(
            form={"client_id": client_id, "client_assertion_type": _ASSERTION, "client_assertion": str(assertion)}
        )
