"""A cookie that carries a token, with defaults that are safe: `__Host-`, `HttpOnly`, `Secure`, `SameSite=Lax`."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal, Protocol

from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError
from mintkey.tokens import MintedToken

__all__ = ["TokenCookie"]

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PATH = re.compile(r"/[!-:<-~]*")

_LONGEST = 4096
"""Octets of name, value and attributes that a browser keeps at least (RFC 6265 §6.1); what is longer vanishes."""


class _Headers(Protocol):
    def append(self, key: str, value: str) -> None: ...


class _Response(Protocol):
    """A response of Starlette, FastAPI or whatever else has `headers.append`."""

    @property
    def headers(self) -> _Headers: ...


class _Request(Protocol):
    """A request, or a WebSocket, of whatever speaks ASGI."""

    @property
    def scope(self) -> Any: ...


class TokenCookie:
    """A cookie that carries a token: set, read and cleared the same way everywhere.

    `HttpOnly`: no script reads it. `Secure`: it is sent over TLS alone (and to localhost). `__Host-`: no other host,
    no sub-domain and no plain connection can have set it (RFC 6265bis §4.1.3.2); with a path it is `__Secure-`. It ends
    with its token, and setting another token replaces it, as when a refresh token is exchanged.

    `SameSite` keeps other sites from using it: `lax` lets it through when a link is followed, never with a form that
    another site posts. So let no `GET` change anything. Sub-domains of the same site are not kept from it, WebSockets
    included: compare the `Origin` where they are not yours.

    Args:
        name: What it is called, without a prefix.
        same_site: `lax`, `strict`, or `none` for pages that other sites embed, which then need a defence of their own
            against forged requests.
        path: The paths it is sent to, such as `/session/refresh`; by default all.
        secure: False for development without TLS on another host than localhost: neither `Secure` nor a prefix.
        clock: Where time comes from; by default the machine's.

    Attributes:
        name: What it is called, with its prefix.

    Raises:
        ConfigurationError: A setting does not fit; all problems at once (`configuration`).

    Example:
        >>> TokenCookie("session").name, TokenCookie("refresh", path="/session/refresh").name
        ('__Host-session', '__Secure-refresh')
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        same_site: Literal["lax", "strict", "none"] = "lax",
        path: str = "/",
        secure: bool = True,
        clock: Clock | None = None,
    ) -> None:
        checks = {
            "the name must be 1–64 characters of an HTTP token (RFC 9110 §5.6.2)": _NAME.fullmatch(name) is None,
            "the name gets its prefix by itself": name.lower().startswith(("__host-", "__secure-")),
            "same_site must be lax, strict or none": same_site not in {"lax", "strict", "none"},
            "same_site none needs secure": same_site == "none" and not secure,
            "path must begin with a slash and have no semicolon and no space": _PATH.fullmatch(path) is None,
        }
        ConfigurationError.raise_if(f"TokenCookie: {problem}" for problem, found in checks.items() if found)
        prefix = "" if not secure else "__Host-" if path == "/" else "__Secure-"
        self.name: str = prefix + name
        self._attributes = f"Path={path}; HttpOnly; {'Secure; ' if secure else ''}SameSite={same_site.title()}"
        self._start = f"{self.name}=".encode()
        self._clock: Clock = SystemClock() if clock is None else clock

    def __repr__(self) -> str:
        return f"TokenCookie({self.name!r})"

    def set(self, response: _Response, token: MintedToken, /, *, max_age: timedelta | None = None) -> None:
        """Have the browser keep a token, in place of the one it has.

        Args:
            response: The answer to the browser.
            token: The token.
            max_age: For how long, in whole seconds; by default until the token ends.

        Raises:
            ConfigurationError: The token is longer than browsers keep (`configuration`).
        """
        left = max(0, int(token.exp - self._clock.time() if max_age is None else max_age.total_seconds()))
        field = f"{self.name}={token}; Max-Age={left}; {self._attributes}"
        if len(field) > _LONGEST:
            raise ConfigurationError(
                f"{self.name}: a token of {len(token)} bytes does not fit into a cookie: put less into the claims"
            )
        response.headers.append("set-cookie", field)

    def clear(self, response: _Response, /) -> None:
        """Have the browser forget it."""
        response.headers.append("set-cookie", f"{self.name}=; Max-Age=0; {self._attributes}")

    def read(self, request: _Request, /) -> str | None:
        """The token that the browser sent; None: there is none, or there are several and nobody knows whose.

        It is not verified.
        """
        values = self.values_in(request.scope["headers"])
        return values[0] if len(values) == 1 else None

    def values_in(self, headers: Iterable[tuple[bytes, bytes]], /) -> list[str]:
        """All different values in the fields of a request, as ASGI has them.

        Example:
            >>> TokenCookie("session").values_in([(b"cookie", b"theme=dark; __Host-session=a.b.c")])
            ['a.b.c']
        """
        start, found = self._start, dict[str, None]()
        for name, value in headers:
            if name == b"cookie" and start in value:
                for pair in value.split(b";"):
                    pair = pair.strip()  # noqa: PLW2901 - the same pair
                    if pair.startswith(start) and (text := pair[len(start) :].decode("latin-1")):
                        found[text] = None
        return list(found)
