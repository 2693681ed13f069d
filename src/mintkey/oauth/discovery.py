"""Asking an issuer where its keys and endpoints are (OpenID Connect Discovery 1.0 §4, RFC 8414 §3)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio

from mintkey.errors import ConfigurationError, Reason, RemoteKeysError
from mintkey.http.base import HttpTransport
from mintkey.http.fetch import BadDocumentError, FetchError, fetch
from mintkey.http.httpx import HttpxTransport
from mintkey.http.urls import url_problem
from mintkey.oauth.metadata import MetadataError, ProviderMetadata, read_metadata, well_known_urls

__all__ = ["discover"]


async def discover(
    issuer: str,
    /,
    *,
    transport: HttpTransport | None = None,
    timeout: timedelta = timedelta(seconds=5),  # noqa: ASYNC109 - one deadline over everything
    max_bytes: int = 262_144,
) -> ProviderMetadata:
    """What an issuer says about itself.

    Looks where OpenID Connect has it and then where RFC 8414 has it. The document must be that issuer's, compared
    character by character, and its endpoints https (http only for an issuer on loopback).

    Args:
        issuer: The issuer exactly as its tokens name it, slash at the end or not.
        transport: Sends the requests; by default httpx2 does (the `http` extra). One that is given is not closed.
        timeout: How long all of it may take, positive.
        max_bytes: The longest document to read, positive.

    Raises:
        ConfigurationError: The issuer is no https URL, or has a query (`configuration`).
        MissingExtraError: There is no transport, and the `http` extra is not installed (`extra_missing`).
        RemoteKeysError: Nobody answers in time (`jwks_unavailable`), or not with that issuer's metadata
            (`jwks_invalid`).

    Example:
        ```python
        metadata = await discover("https://login.example")
        metadata.jwks_uri, metadata.token_endpoint  # for JWKSKeyResolver and ClientCredentials
        ```
    """
    _check(issuer, timeout, max_bytes)
    sender = HttpxTransport() if transport is None else transport
    try:
        with anyio.fail_after(timeout.total_seconds()):
            document = await _document(sender, issuer, timeout, max_bytes)
    except TimeoutError:
        raise RemoteKeysError(
            f"the issuer did not say within {timeout.total_seconds():g} seconds where its endpoints are"
        ) from None
    finally:
        if transport is None:
            await sender.aclose()
    try:
        return read_metadata(document, issuer=issuer)
    except MetadataError as error:
        raise RemoteKeysError(f"the issuer's metadata: {error}", reason=Reason.JWKS_INVALID) from error


async def _document(
    transport: HttpTransport,
    issuer: str,
    timeout: timedelta,  # noqa: ASYNC109 - handed on
    max_bytes: int,
) -> Mapping[str, Any]:
    """The first document that is there.

    Whatever is wrong with the first place, the second is tried: many servers answer with a page of their own, and with
    a 200, where there is nothing.
    """
    failures: list[FetchError] = []
    for url in well_known_urls(issuer):
        try:
            fetched = await fetch(transport, url, timeout=timeout, max_bytes=max_bytes)
        except FetchError as error:
            failures.append(error)
        else:
            return fetched.document or {}
    is_bad = any(isinstance(failure, BadDocumentError) for failure in failures)
    raise RemoteKeysError(
        f"the issuer's metadata: {'; at the other place: '.join(map(str, failures))}",
        reason=Reason.JWKS_INVALID if is_bad else Reason.JWKS_UNAVAILABLE,
    ) from failures[0]


def _check(issuer: str, timeout: timedelta, max_bytes: int) -> None:
    problems: list[str] = []
    problem = url_problem(issuer)
    if problem is not None:
        problems.append(f"issuer {problem}")
    elif urlsplit(issuer).query:
        problems.append("issuer must not have a query (RFC 8414 §2)")
    if timeout <= timedelta(0):
        problems.append("timeout must be positive")
    if max_bytes < 1:
        problems.append("max_bytes must be positive")
    ConfigurationError.raise_if(f"discover: {problem}" for problem in problems)
