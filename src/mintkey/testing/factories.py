"""Tokens that must be refused, made with the keys of a real service; and what a good one looks like when verified."""

import hmac
from collections.abc import Collection
from datetime import timedelta
from typing import Any, TypeVar

from mintkey import ids
from mintkey.claims import strict_json
from mintkey.clock import Clock, SystemClock
from mintkey.errors import ConfigurationError
from mintkey.issuing import Form, payload_of
from mintkey.jose import base64url
from mintkey.jose.generation import generate
from mintkey.jose.prepared import offload, signing_key
from mintkey.jose.spki import public_pem
from mintkey.keys.base import Algorithm, SigningKey
from mintkey.purpose import Purpose
from mintkey.reading import read_claims, template_of
from mintkey.service import TokenService
from mintkey.testing.flaws import Flaw, flaws_of
from mintkey.tokens import Found, MintedToken, VerifiedToken, seen

__all__ = ["flawed_token", "verified_token"]

C = TypeVar("C")

_Members = dict[str, Any]

_AHEAD = timedelta(hours=1)
_RSA_BITS = 2048  # the keys of an attacker need not be strong
_ELSEWHERE = "https://somebody-else.test"

_SIGNED = frozenset(
    {
        Flaw.EXPIRED,
        Flaw.NOT_YET_VALID,
        Flaw.WITHOUT_EXPIRY,
        Flaw.OTHER_ISSUER,
        Flaw.OTHER_AUDIENCE,
        Flaw.WITHOUT_AUDIENCE,
        Flaw.OTHER_PURPOSE,
    }
)
"""What is wrong with tokens that the service's own key signed."""


async def flawed_token(
    tokens: TokenService,
    purpose: Purpose[C],
    flaw: Flaw,
    /,
    *,
    subject: str | None = "20",
    claims: C | None = None,
    scopes: Collection[str] = (),
) -> str:
    """A token that is good in everything but one, and has to be refused with `flaw.reason`.

    It is made with the keys and at the time of the service, so that nothing else can be the reason, and no clock has to
    be moved. Those that an issuer could have written count as a mint, and are really signed.

    Args:
        tokens: The service that has to refuse it.
        purpose: What the token is for.
        flaw: What is wrong with it; one of `flaws_of(purpose)`.
        subject: The `sub`.
        claims: Private claims, of the purpose's type.
        scopes: The `scope`: enough of them, so that a test does not see them missing instead.

    Raises:
        ConfigurationError: Tokens of this purpose cannot have this flaw, or as for `TokenService.mint`
            (`configuration`).
        BackendError: As for `TokenService.mint`; for one that is spent or revoked also as for those.

    Example:
        ```python
        for flaw in flaws_of(LOGIN):
            with pytest.raises(InvalidTokenError) as refused:
                await tokens.verify(await flawed_token(tokens, LOGIN, flaw), LOGIN)
            assert refused.value.reason is flaw.reason
        ```
    """
    if flaw not in flaws_of(purpose):
        raise ConfigurationError(f"{purpose.name}: no token of this purpose can be {flaw}")
    good = await tokens.mint(purpose, subject=subject, claims=claims, scopes=scopes)
    if flaw is Flaw.SPENT:
        await tokens.verify(good, purpose)
    elif flaw is Flaw.REVOKED:
        await tokens.revoke(good, purpose)
    else:
        return await _spoiled(good, tokens, purpose, flaw)
    return good


def verified_token(
    purpose: Purpose[C],
    /,
    *,
    subject: str | None = "20",
    claims: C | None = None,
    scopes: Collection[str] = (),
    issuer: str = "https://issuer.test",
    clock: Clock | None = None,
) -> VerifiedToken[C]:
    """What `verify` gives for such a token, without a token: for tests of what comes behind a guard.

    Args:
        purpose: What the token was for.
        subject: The `sub`.
        claims: Private claims, of the purpose's type; as a token hands them on.
        scopes: The `scope`, words without spaces.
        issuer: The `iss`.
        clock: When it was issued; by default now.

    Raises:
        ConfigurationError: `mint` would refuse that (`configuration`).

    Example:
        >>> access = Purpose("access", lifetime=timedelta(minutes=5), audience="api")
        >>> user = verified_token(access, subject="20", scopes=["orders:read"])
        >>> user.subject, user.audience, user.scopes
        ('20', ('api',), frozenset({'orders:read'}))
    """
    draft = Form(purpose, template_of(purpose, issuer=issuer)).fill(
        subject=subject,
        claims=claims,
        scopes=scopes,
        audience=None,
        lifetime=None,
        not_before=None,
        token_id=None,
        max_token_age=None,
    )
    payload, _ = payload_of(draft, ids.new_id(), (SystemClock() if clock is None else clock).time())
    registered, private = read_claims(payload, purpose, issuer=issuer)
    found: Found = registered, purpose.name, "a-key-of-tests", {}, private
    token: VerifiedToken[C] = seen(VerifiedToken, found, purpose.codec.decode(private))
    return token


async def _spoiled(good: MintedToken, tokens: TokenService, purpose: Purpose[Any], flaw: Flaw) -> str:
    head, payload, signature = good.split(".")
    if flaw is Flaw.TRUNCATED:
        return f"{head}.{payload[: len(payload) // 2]}"
    header, claims = (strict_json.loads(base64url.decode(part)) for part in (head, payload))
    if flaw is Flaw.ALTERED:
        return f"{_signing_input(header, claims | {'sub': 'somebody else'})}.{signature}"
    if flaw is Flaw.UNSIGNED:
        return _signing_input(header | {"alg": "none"}, claims) + "."
    key = (await tokens.workings.keys.acquire(kid=good.key_id)).key
    if flaw is Flaw.PUBLIC_KEY_AS_SECRET:
        return await _by_known_secret(header, claims, tokens, key)
    if flaw in _SIGNED:
        return await _signed(*_amiss(header, claims, purpose, flaw), key)
    return await _by_another_key(header, claims, flaw, key.algorithm)


def _amiss(header: _Members, claims: _Members, purpose: Purpose[Any], flaw: Flaw) -> tuple[_Members, _Members]:
    """Header and claims of a token that the key signs all the same."""
    now, leeway, lifetime = claims["iat"], purpose.rules.leeway, purpose.lifetime.total_seconds()
    match flaw:
        case Flaw.EXPIRED:
            ended = now - leeway - 1
            claims |= {"iat": ended - lifetime, "exp": ended}
        case Flaw.NOT_YET_VALID:
            begins = now + leeway + _AHEAD.total_seconds()
            claims |= {"nbf": begins, "exp": begins + lifetime}
        case Flaw.WITHOUT_EXPIRY:
            del claims["exp"]
        case Flaw.OTHER_ISSUER:
            claims["iss"] = _ELSEWHERE
        case Flaw.OTHER_AUDIENCE:
            claims["aud"] = _ELSEWHERE
        case Flaw.WITHOUT_AUDIENCE:
            del claims["aud"]
        case _:
            header["typ"] = f"not-{purpose.name}+jwt"
    return header, claims


async def _by_known_secret(header: _Members, claims: _Members, tokens: TokenService, key: SigningKey) -> str:
    published = {jwk["kid"]: jwk for jwk in (await tokens.jwks()).as_dict()["keys"]}
    jwk = published.get(key.kid)
    # Nobody knows anything of a secret but its kid.
    known = key.kid if jwk is None else public_pem(jwk)
    signed = _signing_input(header | {"alg": "HS384" if key.algorithm == "HS256" else "HS256"}, claims)
    tag = hmac.digest(known.encode(), signed.encode(), "sha384" if key.algorithm == "HS256" else "sha256")
    return f"{signed}.{base64url.encode(tag)}"


async def _by_another_key(header: _Members, claims: _Members, flaw: Flaw, algorithm: Algorithm) -> str:
    # A secret cannot be shown in a header, so there it is a key of another kind.
    made_for: Algorithm = "EdDSA" if flaw is Flaw.OWN_KEY else algorithm
    foreign = await offload(_generate, made_for)
    if flaw is Flaw.UNKNOWN_KEY:
        header["kid"] = foreign.kid
    elif flaw is Flaw.OWN_KEY:
        header |= {"alg": made_for, "jwk": foreign.public_jwk}
    return await _signed(header, claims, signing_key(foreign))


def _generate(algorithm: Algorithm) -> Any:
    return generate(algorithm, rsa_bits=_RSA_BITS)


async def _signed(header: _Members, claims: _Members, key: SigningKey) -> str:
    signed = _signing_input(header, claims)
    return f"{signed}.{base64url.encode(await key.sign(signed.encode()))}"


def _signing_input(header: _Members, claims: _Members) -> str:
    return ".".join(base64url.encode(strict_json.dumps(part)) for part in (header, claims))
