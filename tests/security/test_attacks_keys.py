"""The life of a key, from outside: what it signed, and what others say that it signed, in every state that it has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mintkey import InvalidTokenError, Reason, TokenService
from mintkey.jose.base64url import encode
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from mintkey.keys.base import SigningKey
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock
from tests.security.attacks.case import LOGIN
from tests.security.attacks.forge import ISSUER, text_of

TTL = timedelta(hours=1)
GOOD: dict[str, Reason | None] = {
    "good": None,
    "good, from another issuer": Reason.ISSUER_MISMATCH,
    "good, for something else": Reason.PURPOSE_MISMATCH,
    "not signed": Reason.SIGNATURE_INVALID,
    "signed by the next key": Reason.SIGNATURE_INVALID,
    "none": Reason.ALGORITHM_MISMATCH,
    "none, and no kid": Reason.MALFORMED,
    "a key in the header": Reason.HEADER_UNSUPPORTED,
}
_UNSEEN = {Reason.MALFORMED, Reason.HEADER_UNSUPPORTED}  # said before any key is looked for


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(params=["EdDSA", "ES256", "HS256"])
def keys(request: pytest.FixtureRequest, clock: FakeClock) -> MemoryKeyProvider:
    policy = RotationPolicy(every=None, previous_ttl=TTL, publish_ahead=timedelta(0))
    return MemoryKeyProvider(algorithm=request.param, policy=policy, clock=clock)


@pytest.fixture
def tokens(keys: MemoryKeyProvider, clock: FakeClock) -> TokenService:
    return TokenService(issuer=ISSUER, keys=keys, replay=MemoryReplayStore(clock=clock), clock=clock)


async def test_an_active_and_a_retiring_key(tokens, keys, clock) -> None:
    async with tokens:
        old = (await keys.acquire()).key
        await keys.rotate()
        new = (await keys.acquire()).key
        assert old.kid != new.kid
        assert await verdicts(tokens, clock, new, old) == GOOD
        assert await verdicts(tokens, clock, old, new) == GOOD
        clock.advance(TTL - timedelta(seconds=1))
        assert await verdicts(tokens, clock, old, new) == GOOD


async def test_a_retired_key_is_all_that_anybody_is_told_of(tokens, keys, clock) -> None:
    async with tokens:
        old = (await keys.acquire()).key
        await keys.rotate()
        clock.advance(TTL)
        assert await verdicts(tokens, clock, old, (await keys.acquire()).key) == only(Reason.KEY_RETIRED)


async def test_a_revoked_key_is_all_that_anybody_is_told_of(tokens, keys, clock) -> None:
    async with tokens:
        old = (await keys.acquire()).key
        await keys.revoke(old.kid)
        new = (await keys.acquire()).key
        assert await verdicts(tokens, clock, old, new) == only(Reason.KEY_REVOKED)
        assert await verdicts(tokens, clock, new, old) == GOOD


async def test_a_key_of_another_ring_is_unknown(tokens, keys, clock) -> None:
    """Of the same algorithm, by an issuer who calls himself the same."""
    algorithm = (await keys.acquire()).key.algorithm
    stranger = (await MemoryKeyProvider(algorithm=algorithm, clock=clock).acquire()).key
    async with tokens:
        ours = (await keys.acquire()).key
        assert await verdicts(tokens, clock, stranger, ours) == only(Reason.KEY_UNKNOWN)


def only(reason: Reason) -> dict[str, Reason]:
    """What everything is refused for that gets as far as to a key."""
    return {name: said if said in _UNSEEN else reason for name, said in GOOD.items()}


async def verdicts(tokens: TokenService, clock: FakeClock, key: SigningKey, other: SigningKey) -> dict[str, Any]:
    """What every call says to tokens that name this key."""
    found: dict[str, Any] = {}
    for name, token in (await forged(clock, key, other)).items():
        said = {await verdict(tokens, call, token) for call in ("peek", "revoke", "redeem", "verify")}
        # What was revoked a moment ago was accepted for that.
        said = {None} if said == {None, Reason.REVOKED} else said
        (found[name],) = said
    return found


async def verdict(tokens: TokenService, call: str, token: str) -> Reason | None:
    try:
        if call == "redeem":
            async with tokens.redeem(token, LOGIN):
                return None
        await getattr(tokens, call)(token, LOGIN)
    except InvalidTokenError as error:
        return error.reason
    return None


async def forged(clock: FakeClock, key: SigningKey, other: SigningKey) -> dict[str, str]:
    now = int(clock.time())
    claims = {"iss": ISSUER, "aud": "myapp.web", "iat": now, "exp": now + 60, "jti": f"{key.kid}-{now}"}
    header = {"alg": key.algorithm, "kid": key.kid, "typ": LOGIN.typ}
    none = {**header, "alg": "none"}
    return {
        "good": await signed(key, header, claims),
        "good, from another issuer": await signed(key, header, {**claims, "iss": "https://attacker.example"}),
        "good, for something else": await signed(key, {**header, "typ": "at+jwt"}, claims),
        "not signed": (await signed(key, header, claims)).rpartition(".")[0] + "." + encode(bytes(64)),
        "signed by the next key": await signed(other, header, claims),
        "none": (await signed(key, none, claims)).rpartition(".")[0] + ".",
        "none, and no kid": (await signed(key, {"alg": "none"}, claims)).rpartition(".")[0] + ".",
        "a key in the header": await signed(key, {**header, "jwk": {"kty": "oct", "k": ""}}, claims),
    }


async def signed(key: SigningKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signing_input = f"{encode(text_of(header))}.{encode(text_of(claims))}"
    return f"{signing_input}.{encode(await key.sign(signing_input.encode()))}"
