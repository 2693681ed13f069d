"""Whatever is compared with a secret is compared whole, by the one function that is made for it."""

import hmac
from collections.abc import Callable
from typing import Any

import pytest

from mintkey import TokenService
from mintkey.errors import ClaimError
from mintkey.jose import signatures
from mintkey.jose.prepared import verification_key
from mintkey.keys import MemoryKeyProvider, Sealer
from mintkey.oauth import pkce
from mintkey.oauth.state import new_state, use_state
from mintkey.replay import MemoryReplayStore
from tests.support.signing_keys import key_for

Compared = list[tuple[Any, Any]]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    """What was compared in constant time."""
    pairs: Compared = []
    whole = hmac.compare_digest

    def noting(one: Any, other: Any) -> bool:
        pairs.append((one, other))
        return whole(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    monkeypatch.setattr(signatures, "compare_digest", noting)
    return pairs


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_signatures_by_a_secret(algorithm: str, compared: Compared) -> None:
    key = verification_key(key_for(algorithm))
    right = hmac.digest(key_for(algorithm).private, b"input", f"sha{algorithm[2:]}")
    for signature in (right, right[:-1], bytes(len(right)), b""):
        assert key.verify(b"input", signature) == (signature == right)
        assert compared.pop() == (right, signature)


def test_tags_of_documents_and_events(compared: Compared) -> None:
    sealer = Sealer([bytes(32)])
    right = sealer.authenticate(b"document")
    for tag in (right, right[:-1], b"A" * len(right)):
        assert sealer.is_authentic(b"document", tag) == (tag == right)
        assert compared.pop() == (right, tag)


def test_challenges_of_pkce(compared: Compared) -> None:
    proof = pkce.new_verifier()
    right = pkce.challenge(proof)
    for challenge in (right, right[:-1], "A" * 43):
        assert pkce.matches(proof, challenge) == (challenge == right)
        assert compared.pop() == (right.encode(), challenge.encode())


@pytest.mark.parametrize("bend", [str.upper, lambda secret: secret[:-1] + "~"], ids=["upper", "last"])
async def test_the_secret_of_a_browser(bend: Callable[[str], str], compared: Compared) -> None:
    tokens = TokenService(issuer="i", keys=MemoryKeyProvider(), replay=MemoryReplayStore())
    secret = pkce.new_verifier()
    state = await new_state(tokens, browser=secret)
    compared.clear()
    with pytest.raises(ClaimError):
        await use_state(tokens, state, browser=bend(secret))
    assert len(compared) == 1
