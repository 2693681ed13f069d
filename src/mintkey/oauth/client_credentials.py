"""Tokens for ourselves from another issuer (RFC 6749 §4.4): got once, shared by all callers, renewed in time."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError, TokenEndpointError
from mintkey.http.base import HttpTransport
from mintkey.http.httpx import HttpxTransport
from mintkey.http.urls import url_problem
from mintkey.lifecycle import Resource
from mintkey.oauth.client_authentication import ClientAuthentication, ClientSecretBasic, ClientSecretPost
from mintkey.oauth.lease import Grant
from mintkey.oauth.token_cache import TokenCache
from mintkey.oauth.token_endpoint import TokenEndpoint
from mintkey.purpose import names

if TYPE_CHECKING:
    from mintkey.oauth.bearer import BearerAuth

__all__ = ["ClientCredentials"]

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_CLIENT_ID = re.compile(r"[\x20-\x7e]+")
_STRAY = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What nobody means to send: the line break at the end of a file, or half a character from the environment."""

_ZERO = timedelta(0)

_BY_NAME: dict[str, Callable[[str], ClientAuthentication]] = {
    "client_secret_basic": ClientSecretBasic,
    "client_secret_post": ClientSecretPost,
}


class ClientCredentials(Resource):
    """A client of an authorization server that needs tokens for itself.

    However many callers there are, each event loop makes one request at a time. The token is kept until the margin
    before its end, and renewed behind its callers shortly before that. A provider that is away is not noticed while the
    token is good: within the margin, too, the old one is returned.

    Args:
        token_url: The token endpoint, https (http on loopback).
        client_id: Who we are there.
        client_secret: The secret; left out where the authentication needs none.
        scope: The scopes to ask for, as text or several (RFC 6749 §3.3).
        audience: Whom the token is for, as many providers have it.
        margin: How long before its end a token is replaced. One that lives hardly longer is used for a fifth of its
            life.
        authentication: How we prove who we are: `client_secret_basic`, `client_secret_post`, or a `PrivateKeyJWT`.
        transport: Sends the requests; by default httpx2 does (the `http` extra). One that is given is never closed.
        timeout: How long one request may take in all, positive.
        clock: Where time comes from; by default the machine's.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).
        MissingExtraError: There is no transport, and the `http` extra is not installed (`extra_missing`).

    Example:
        ```python
        async with ClientCredentials(
            "https://login.example/oauth/token", "billing", secret, audience="https://orders.example"
        ) as provider:
            async with httpx2.AsyncClient(auth=provider.auth) as client:
                orders = await client.get("https://orders.example/today")
        ```
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str | None = None,
        *,
        scope: str | Collection[str] | None = None,
        audience: str | None = None,
        margin: timedelta = timedelta(seconds=60),
        authentication: Literal["client_secret_basic", "client_secret_post"]
        | ClientAuthentication = "client_secret_basic",
        transport: HttpTransport | None = None,
        timeout: timedelta = timedelta(seconds=5),
        clock: Clock | None = None,
    ) -> None:
        scopes = tuple(scope.split()) if isinstance(scope, str) else names(scope)
        problems = [
            *_problems(
                token_url=token_url,
                client_id=client_id,
                scopes=scopes,
                audience=audience,
                margin=margin,
                timeout=timeout,
            )
        ]
        try:
            self._authentication = _authentication(authentication, client_secret)
            problems += self._authentication.problems(client_id)
        except ConfigurationError as error:
            problems.append(str(error))
        ConfigurationError.raise_if(f"ClientCredentials: {problem}" for problem in problems)
        self._token_url = token_url
        self._client_id = client_id
        self._form = {"grant_type": "client_credentials"}
        if scopes:
            self._form["scope"] = " ".join(scopes)
        if audience is not None:
            self._form["audience"] = audience
        self._clock: Clock = SystemClock() if clock is None else clock
        self._transport = HttpxTransport() if transport is None else transport
        self._is_transport_ours = transport is None
        self._endpoint = TokenEndpoint(token_url, transport=self._transport, timeout=timeout, clock=self._clock)
        self._cache = TokenCache(self._obtain, clock=self._clock, margin=margin, closed=TokenEndpointError)

    async def token(self) -> str:
        """An access token that is good.

        Raises:
            TokenEndpointError: There is none, and none can be got: `token_endpoint_unavailable` (nobody answers, or
                not in a way that we understand), `token_endpoint_rejected` (the provider refuses us; its `error` code,
                if it is a registered one, is in the details).
            KeyProviderError: No key can sign the assertion of a `PrivateKeyJWT`.
        """
        return await self._cache.token()

    def invalidate(self) -> None:
        """Forget the token, because somebody refused it: the next caller gets a new one."""
        self._cache.invalidate()

    @cached_property
    def auth(self) -> "BearerAuth":
        """Authentication for an `httpx2.AsyncClient`: the token with every request; after a 401 once more with another.

        Raises:
            MissingExtraError: The `http` extra is not installed (`extra_missing`).
        """
        from mintkey.oauth.bearer import BearerAuth  # noqa: PLC0415 - it needs an extra

        return BearerAuth(self._cache, clock=self._clock)

    async def _close(self) -> None:
        await self._cache.aclose()
        if self._is_transport_ours:
            await self._transport.aclose()

    async def _obtain(self) -> Grant:
        proof = await self._authentication.prove(self._client_id, token_url=self._token_url)
        return await self._endpoint.ask({**self._form, **proof.form}, proof.headers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._token_url!r}, {self._client_id!r})"


def _problems(
    *,
    token_url: str,
    client_id: str,
    scopes: Collection[str],
    audience: str | None,
    margin: timedelta,
    timeout: timedelta,
) -> Iterator[str]:
    problem = url_problem(token_url)
    if problem is not None:
        yield f"token_url {problem}"
    if not _CLIENT_ID.fullmatch(client_id):
        yield "client_id must be printable ASCII (RFC 6749 §A.1)"
    if not all(_SCOPE.fullmatch(word) for word in scopes):
        yield "scope must be words without spaces, quotes and backslashes (RFC 6749 §3.3)"
    if audience is not None and (not audience or _STRAY.search(audience)):
        yield "audience must not be empty or contain control characters"
    if margin < _ZERO:
        yield "margin must not be negative"
    if timeout <= _ZERO:
        yield "timeout must be positive"


def _authentication(given: str | ClientAuthentication, secret: str | None) -> ClientAuthentication:
    if not isinstance(given, str):
        if secret is not None:
            raise ConfigurationError(f"client_secret is not for {type(given).__name__}")
        return given
    method = _BY_NAME.get(given)
    if method is None:
        raise ConfigurationError(f"authentication must be {', '.join(_BY_NAME)} or a PrivateKeyJWT")
    if not secret or _STRAY.search(secret):
        raise ConfigurationError(f"{given} needs a client_secret, without control characters and line breaks")
    return method(secret)
