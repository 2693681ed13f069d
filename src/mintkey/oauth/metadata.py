"""What an issuer says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), read by pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from mintkey.http.urls import url_problem

__all__ = ["MetadataError", "ProviderMetadata", "read_metadata", "well_known_urls"]

_OPENID = "/.well-known/openid-configuration"
_OAUTH = "/.well-known/oauth-authorization-server"


class MetadataError(ValueError):
    """The document is not the issuer's, or cannot be used; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """Where an issuer's endpoints are.

    Attributes:
        issuer: The issuer, exactly as it was asked for.
        jwks_uri: Its keys: what `JWKSKeyResolver` takes.
        token_endpoint: Where tokens are got: what `ClientCredentials` takes.
        authorization_endpoint: Where browsers are sent to.
        introspection_endpoint: Where tokens are looked up (RFC 7662).
        revocation_endpoint: Where tokens are revoked (RFC 7009).
        raw: Everything it says; nothing else in there was checked.

    Example:
        >>> ProviderMetadata(issuer="https://login.example", jwks_uri="https://login.example/jwks").jwks_uri
        'https://login.example/jwks'
    """

    issuer: str
    jwks_uri: str | None = None
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    raw: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)


def well_known_urls(issuer: str, /) -> tuple[str, str]:
    """Where an issuer's metadata are: as OpenID Connect has it, then as RFC 8414 has it.

    Args:
        issuer: An https URL without query and fragment.

    Example:
        >>> for url in well_known_urls("https://login.example/tenant/"):
        ...     print(url)
        https://login.example/tenant/.well-known/openid-configuration
        https://login.example/.well-known/oauth-authorization-server/tenant
    """
    parts = urlsplit(issuer)
    path = parts.path.removesuffix("/")
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}{path}{_OPENID}", f"{root}{_OAUTH}{path}"


def read_metadata(document: Mapping[str, Any], /, *, issuer: str) -> ProviderMetadata:
    """The metadata in a document, if it is that issuer's.

    The issuer is compared character by character (OpenID Connect Discovery 1.0 §4.3, RFC 8414 §3.3): otherwise somebody
    who can publish a document somewhere on that host could pass off his keys as the issuer's.

    Raises:
        MetadataError: The document is another issuer's, or an endpoint is no URL to send anything to.
    """
    found = document.get("issuer")
    if found != issuer:
        is_nearly = isinstance(found, str) and found.rstrip("/") == issuer.rstrip("/")
        hint = " (but for a slash at the end: write it as the provider does)" if is_nearly else ""
        raise MetadataError(f"the document is another issuer's{hint}")
    return ProviderMetadata(
        issuer=issuer,
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        authorization_endpoint=_endpoint(document, "authorization_endpoint", issuer),
        introspection_endpoint=_endpoint(document, "introspection_endpoint", issuer),
        revocation_endpoint=_endpoint(document, "revocation_endpoint", issuer),
        raw=MappingProxyType(dict(document)),
    )


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str | None:
    url = document.get(name)
    if url is None:
        return None
    if not isinstance(url, str) or url_problem(url) is not None:
        raise MetadataError(f"{name} is no https URL")
    # Loopback is for an issuer on loopback: any other has no business with what listens on this machine.
    if urlsplit(url).scheme != "https" and urlsplit(issuer).scheme == "https":
        raise MetadataError(f"{name} is not https, although the issuer is")
    return url
