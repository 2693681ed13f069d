"""From the payload of an authentic token to its claims, for a purpose: what the verifier needs of the claims room."""

from typing import Any

from mintkey.claims import strict_json
from mintkey.claims.registered import RegisteredClaims, take_registered
from mintkey.claims.template import ClaimsTemplate
from mintkey.errors import ConfigurationError, MalformedTokenError
from mintkey.purpose import Purpose

__all__ = ["read_claims", "template_of"]


def template_of(purpose: Purpose[Any], /, *, issuer: str) -> ClaimsTemplate:
    """What an issuer's tokens of a purpose have in common.

    Raises:
        ConfigurationError: Issuer or audience cannot be written as JSON (`configuration`).

    Example:
        >>> from datetime import timedelta
        >>> login = Purpose("login", lifetime=timedelta(minutes=10))
        >>> template_of(login, issuer="https://myapp.example").begin("20")
        b'{"iss":"https://myapp.example","sub":"20","iat":'
    """
    try:
        return ClaimsTemplate(issuer=issuer, audience=purpose.audience, required=purpose.required)
    except strict_json.StrictJSONError as error:
        raise ConfigurationError(f"{purpose.name}: issuer and audience: {error}") from None


def read_claims(payload: bytes, purpose: Purpose[Any], /, *, issuer: str) -> tuple[RegisteredClaims, dict[str, Any]]:
    """The registered and the private claims of any token, whoever wrote it.

    Raises:
        MalformedTokenError: The payload is no strict JSON object (`malformed`).
        ClaimError: As for `take_registered`.

    Example:
        >>> from datetime import timedelta
        >>> login = Purpose("login", lifetime=timedelta(minutes=10))
        >>> read_claims(b'{"jti":"1","exp":2,"iat":1,"iss":"i","plan":5}', login, issuer="i")[1]
        {'plan': 5}
    """
    try:
        claims = strict_json.loads(payload)
    except strict_json.StrictJSONError as error:
        raise MalformedTokenError(f"the claims are not strict JSON: {error}") from None
    return take_registered(claims, purpose.rules, issuer=issuer), claims
