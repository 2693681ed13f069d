"""Signed `state`: what goes through the browser with an authorization request and must come back with its answer.

A state is a token for single use like any other: nobody makes one up, it is over after ten minutes, and the same answer
is not taken twice. It says where the user wanted to go, and belongs to the one browser that began: without that, an
attacker has a victim end what he began, and the victim works in the attacker's account (RFC 6749 §10.12, RFC 9700
§4.7).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import timedelta

from mintkey.errors import ClaimError, ConfigurationError
from mintkey.jose import base64url
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import MintedToken, VerifiedToken
from mintkey.verifier import TokenVerifier

__all__ = ["STATE", "State", "local_path", "new_state", "use_state"]

_SHORTEST_SECRET = 22
"""Characters of 128 random bits in base64url."""

_LONGEST_PATH = 2048

# One slash and no more: browsers read "//host", "/\host" and, as they drop tabs and line ends, "/<tab>/host" as another
# server. So no backslash, no control character and no empty segment; nothing that would end an HTML attribute either.
_SEGMENT, _ANYTHING = r"[!$-.0-;=@-\[\]-~]+", r"[!#-;=?-\[\]-~]*"
_LOCAL = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?(?:[?#]{_ANYTHING})?")


@dataclass(frozen=True, slots=True)
class State:
    """What a state says.

    Attributes:
        browser: A hash of the secret that only the browser has which began.
        next: Where the user wanted to go: a path on this site.

    Example:
        >>> State(browser="…", next="/inbox").next
        '/inbox'
    """

    browser: str = field(repr=False)
    next: str = field(default="/", repr=False)


STATE: Purpose[State] = Purpose("oauth-state", lifetime=timedelta(minutes=10), single_use=True, claims=State)
"""What a state is for: to come back once, within ten minutes (RFC 9700 §4.7.1).

Example:
    >>> STATE.single_use, STATE.lifetime
    (True, datetime.timedelta(seconds=600))
"""


async def new_state(
    tokens: TokenService,
    /,
    *,
    browser: str,
    next: str = "/",  # noqa: A002 - the claim's name
    purpose: Purpose[State] = STATE,
) -> MintedToken:
    """A `state` to send along with an authorization request.

    Its `.id` serves as the `nonce` of OpenID Connect: send it along too, and compare the one in the ID token with the
    `.id` of what `use_state` returns.

    Args:
        tokens: Mints it, and needs a store to spend it.
        browser: A secret that was drawn for this sign-in and is in a cookie of this browser, at least 22 characters.
            The cookie must be `SameSite=Lax`, not `Strict`: the answer comes from another site. `pkce.new_verifier()`
            is one, so one cookie serves both; the state holds only a hash of it, and another one than the challenge.
        next: Where the user wants to go; by `local_path` if it comes from outside.
        purpose: Another purpose with the same claims, for instance with a shorter lifetime.

    Raises:
        ConfigurationError: `next` leads elsewhere than this site, or the secret is too short; all problems at once
            (`configuration`). Also as for `TokenService.mint`.
        BackendError: As for `TokenService.mint`.

    Example:
        ```python
        verifier = pkce.new_verifier()
        response.set_cookie("signing-in", verifier, max_age=600, httponly=True, secure=True, samesite="lax")
        query = {
            "response_type": "code",
            "state": await new_state(tokens, browser=verifier, next=local_path(request.query_params.get("next"))),
            "code_challenge": pkce.challenge(verifier),
            "code_challenge_method": pkce.METHOD,
        }
        ```
    """
    problems: list[str] = []
    if len(browser) < _SHORTEST_SECRET:
        problems.append(f"browser must be a random secret of at least {_SHORTEST_SECRET} characters")
    if not _is_local(next):
        problems.append("next must be a path on this site: use local_path for what comes from outside")
    ConfigurationError.raise_if(f"new_state: {problem}" for problem in problems)
    return await tokens.mint(purpose, claims=State(browser=_hash_of(browser), next=next))


async def use_state(
    tokens: TokenVerifier, state: str, /, *, browser: str | None, purpose: Purpose[State] = STATE
) -> VerifiedToken[State]:
    """The state that came back, spent: every check, its browser included, and then never again.

    Args:
        tokens: Verifies and spends it.
        state: The `state` of the answer.
        browser: The secret in this browser's cookie; None: there is none.
        purpose: As for `new_state`.

    Raises:
        InvalidTokenError: As for `TokenVerifier.verify`; or it belongs to another browser, or it leads elsewhere than
            this site (both `claim_invalid`), and then it is not spent.
        BackendError: As for `TokenVerifier.verify`.
        ConfigurationError: There is no store (`configuration`).

    Example:
        ```python
        used = await use_state(
            tokens, request.query_params["state"], browser=request.cookies.get("signing-in")
        )
        return RedirectResponse(used.claims.next)
        ```
    """
    claims = (await tokens.peek(state, purpose)).claims
    held = _hash_of("" if browser is None else browser)
    if not browser or not hmac.compare_digest(held.encode(), claims.browser.encode("utf-8", "surrogatepass")):
        raise ClaimError("the state belongs to another browser", claim="browser")
    if not _is_local(claims.next):
        raise ClaimError("the state leads away from this site", claim="next")
    return await tokens.verify(state, purpose)


def local_path(text: str | None, /, *, default: str = "/") -> str:
    """The text if it is a path on this site, with or without a query, else the default: no open redirect.

    Args:
        text: What somebody sent as the place to go to afterwards.
        default: Where to go instead.

    Example:
        >>> local_path("/inbox?page=2"), local_path("//evil.example"), local_path("https://evil.example/")
        ('/inbox?page=2', '/', '/')
    """
    return text if isinstance(text, str) and _is_local(text) else default


def _is_local(text: str) -> bool:
    return len(text) <= _LONGEST_PATH and _LOCAL.fullmatch(text) is not None


def _hash_of(secret: str) -> str:
    """What may be seen of a browser's secret. Everybody can read a state, and logs keep it."""
    hashed = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=32, person=b"mintkey state")
    return base64url.encode(hashed.digest())
