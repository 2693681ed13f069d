"""Makes tokens that no honest issuer makes: by somebody without the key, and by a careless issuer who has it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from mintkey import Reason
from mintkey.jose.algorithms import SPECS
from mintkey.jose.base64url import encode
from mintkey.jose.signatures import signer
from tests.security.attacks.case import LOGIN, Case
from tests.support.signing_keys import key_for, other_key_for, public_jwk_of

__all__ = ["ISSUER", "NOW", "Forge", "Text", "text_of"]

ISSUER = "https://myapp.example/tenants/7"
NOW = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

Text = Mapping[str, Any] | str | bytes
"""A header or a payload: members, or text as it is."""

_BEFORE_THE_SIGNATURE = {Reason.HEADER_UNSUPPORTED, Reason.ALGORITHM_MISMATCH, Reason.KEY_UNKNOWN, Reason.TOO_LARGE}


def text_of(what: Text, /) -> bytes:
    """The bytes of a header or a payload; members are written the way everybody does."""
    if isinstance(what, bytes):
        return what
    if isinstance(what, str):
        return what.encode("utf-8", "surrogatepass")
    return json.dumps(what, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class Forge:
    """For one algorithm: a good token, what everybody knows of its key, and the means to bend it.

    Args:
        algorithm: The algorithm.
        bait: A URL that nobody must ever ask for.
        foreign: The claims stand in another order than ours do, so that nothing can be recognised by its form.
    """

    def __init__(self, algorithm: str, bait: str = "http://127.0.0.1:9", *, foreign: bool = False) -> None:
        self.bait = bait
        self._is_foreign = foreign
        self.key: Any = key_for(algorithm)
        self.other: Any = other_key_for(algorithm)
        self.spec = SPECS[self.key.algorithm]
        self.algorithm: str = algorithm
        self.sign = signer(self.key.private, self.spec)
        self.sign_by_other = signer(self.other.private, self.spec)

    @property
    def header(self) -> dict[str, Any]:
        """The header of the good token, to be bent."""
        return {"alg": self.algorithm, "kid": self.key.kid, "typ": LOGIN.typ}

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the good token, to be bent; every value can be told apart from our own words."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": list(LOGIN.audience),
            "sub": "canary-subject-4711",
            "iat": NOW - 60,
            "exp": NOW + 540,
            "jti": "canary-token-id-4712",
            "scope": "orders:read orders:write",
            "email": "canary-4713@mail.example",
            "roles": ["canary-editor"],
        }
        return dict(reversed(claims.items())) if self._is_foreign else claims

    @property
    def is_symmetric(self) -> bool:
        return self.spec.symmetric

    @property
    def jwk(self) -> dict[str, Any]:
        """What verifies: the public JWK, or the secret."""
        return public_jwk_of(self.algorithm)

    @cached_property
    def good(self) -> str:
        """The good token."""
        return self.token()

    @cached_property
    def signed(self) -> bytes:
        """What the good token's signature signs."""
        return self.good.rpartition(".")[0].encode()

    @cached_property
    def signature(self) -> bytes:
        """The good token's signature."""
        return self.sign(self.signed)

    @cached_property
    def segments(self) -> list[str]:
        """The good token in three pieces."""
        return self.good.split(".")

    def signing_input(self, header: Text | None = None, claims: Text | None = None) -> str:
        """The first two segments of a token to be."""
        parts = (self.header if header is None else header, self.claims if claims is None else claims)
        return ".".join(encode(text_of(part)) for part in parts)

    def token(self, header: Text | None = None, claims: Text | None = None, *, by_other: bool = False) -> str:
        """A token with a signature that is really that of the key, whatever it says; or that of another key."""
        signed = self.signing_input(header, claims)
        sign = self.sign_by_other if by_other else self.sign
        return f"{signed}.{encode(sign(signed.encode()))}"

    def with_signature(self, signature: bytes, header: Text | None = None, claims: Text | None = None) -> str:
        """A token with these bytes for a signature."""
        return f"{self.signing_input(header, claims)}.{encode(signature)}"

    def both(
        self,
        name: str,
        reason: Reason | None,
        why: str,
        *,
        header: Text | None = None,
        claims: Text | None = None,
        **rest: Any,
    ) -> Iterator[Case]:
        """A bent token that the key signed, and the same one that it did not sign.

        The first shows that it is refused for what it says, and accepted where it may be. The second never gets that
        far: a forged token learns nothing but that it is forged.
        """
        yield Case(name=name, token=self.token(header, claims), reason=reason, why=why, **rest)
        if self.signing_input(header, claims).encode() == self.signed:
            return  # nothing was bent but what is expected of it
        is_early = reason in _BEFORE_THE_SIGNATURE or (reason is Reason.MALFORMED and header is not None)
        bare = rest.get("bare", "accepted")
        if bare == "accepted":
            bare = reason if is_early and reason is not Reason.KEY_UNKNOWN and "bare" not in rest else _FORGED
        yield Case(
            name=f"{name} (not signed)",
            token=self.with_signature(self.signature, header, claims),
            reason=reason if is_early else _FORGED,
            why="nobody learns what is wrong with a token that is not authentic",
            purpose=rest.get("purpose", LOGIN),
            scopes=rest.get("scopes", ()),
            bare=bare,
        )


_FORGED = Reason.SIGNATURE_INVALID
