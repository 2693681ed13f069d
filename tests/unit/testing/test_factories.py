"""Tokens that must be refused are refused with the reason they were made for, and for no other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mintkey import (
    ConfigurationError,
    InvalidTokenError,
    KeyNotFoundError,
    Purpose,
    TokenReplayedError,
    TokenService,
    VerifiedToken,
)
from mintkey.errors import MintkeyError
from mintkey.jose import verify_compact
from mintkey.keys import MemoryKeyProvider, RotationPolicy, StaticKeyProvider
from mintkey.keys.base import Algorithm
from mintkey.replay import MemoryReplayStore
from mintkey.testing import FakeClock, Flaw, flawed_token, flaws_of, verified_token
from tests.support.signing_keys import jwk_of

ISSUER = "https://issuer.test"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Order:
    number: int
    note: str = "none"


LOGIN = Purpose("login", lifetime=10 * MINUTE, audience="myapp.web", single_use=True)
API = Purpose("api", lifetime=timedelta(hours=1), audience=["myapp.api", "myapp.admin"], revocable=True)
BARE = Purpose("bare", lifetime=0.5 * MINUTE, leeway=timedelta(0), required=["tenant"], max_age=MINUTE)
ORDER = Purpose("order", lifetime=MINUTE, claims=Order, typ="application/order+jwt", required=["sub"])

GIVEN: dict[Purpose[Any], Any] = {LOGIN: None, API: {"roles": ["editor"]}, BARE: {"tenant": "acme"}, ORDER: Order(7)}
CASES = [pytest.param(purpose, flaw, id=f"{purpose.name}: {flaw}") for purpose in GIVEN for flaw in flaws_of(purpose)]

Serve = Callable[..., TokenService]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def serve(clock: FakeClock) -> Serve:
    def serve(*, issuer: str = ISSUER, algorithm: Algorithm = "EdDSA", **settings: Any) -> TokenService:
        keys = MemoryKeyProvider(algorithm=algorithm, clock=clock)
        replay = MemoryReplayStore(clock=clock)
        return TokenService(**{"issuer": issuer, "keys": keys, "replay": replay, "clock": clock, **settings})

    return serve


async def refusal(tokens: TokenService, token: str, purpose: Purpose[Any]) -> MintkeyError:
    with pytest.raises(MintkeyError) as caught:
        await tokens.verify(token, purpose)
    return caught.value


@pytest.mark.parametrize(("purpose", "flaw"), CASES)
async def test_each_is_refused_for_what_is_wrong_with_it(serve: Serve, purpose: Purpose[Any], flaw: Flaw) -> None:
    tokens = serve()
    token = await flawed_token(tokens, purpose, flaw, claims=GIVEN[purpose])
    refused = await refusal(tokens, token, purpose)
    assert isinstance(refused, InvalidTokenError)
    assert (refused.reason, refused.status_code) == (flaw.reason, 401)
    with pytest.raises(InvalidTokenError) as peeked:
        await tokens.peek(token, purpose)
    assert peeked.value.reason is flaw.reason


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"])
async def test_with_keys_of_every_kind(serve: Serve, algorithm: Algorithm) -> None:
    tokens = serve(algorithm=algorithm)
    for flaw in Flaw:
        assert (await refusal(tokens, await flawed_token(tokens, LOGIN, flaw), LOGIN)).reason is flaw.reason


@pytest.mark.parametrize("algorithm", ["RS256", "PS512"])
async def test_with_a_key_that_the_operator_rotates(serve: Serve, algorithm: str) -> None:
    tokens = serve(keys=StaticKeyProvider({"keys": [jwk_of(algorithm)]}))
    for flaw in Flaw:
        assert (await refusal(tokens, await flawed_token(tokens, LOGIN, flaw), LOGIN)).reason is flaw.reason


async def test_on_the_clock_of_the_machine(serve: Serve) -> None:
    """No clock has to be moved: what is expired was issued in the past."""
    tokens = serve(keys=MemoryKeyProvider(), replay=MemoryReplayStore(), clock=None)
    for flaw in Flaw:
        assert (await refusal(tokens, await flawed_token(tokens, LOGIN, flaw), LOGIN)).reason is flaw.reason


class TestNothingElseIsWrong:
    """The same token is accepted where that one thing is as it should be."""

    async def test_one_that_expired_was_good(self, serve: Serve, clock: FakeClock) -> None:
        tokens = serve(replay=MemoryReplayStore(clock=clock, fence=False))
        token = await flawed_token(tokens, API, Flaw.EXPIRED)
        clock.advance(-(API.leeway + timedelta(seconds=1, milliseconds=1)))
        assert (await tokens.verify(token, API)).subject == "20"

    async def test_one_that_is_not_valid_yet_will_be(self, serve: Serve, clock: FakeClock) -> None:
        tokens = serve()
        token = await flawed_token(tokens, API, Flaw.NOT_YET_VALID)
        clock.advance(timedelta(hours=1))
        assert (await tokens.verify(token, API)).subject == "20"

    async def test_elsewhere_it_would_be_good(self, serve: Serve) -> None:
        tokens = serve()
        keys = tokens.workings.keys
        other = serve(issuer="https://somebody-else.test", keys=keys)
        await other.verify(await flawed_token(tokens, API, Flaw.OTHER_ISSUER), API)
        token = await flawed_token(tokens, API, Flaw.OTHER_AUDIENCE)
        await tokens.verify(token, API.replace(audience="https://somebody-else.test"))
        token = await flawed_token(tokens, API, Flaw.OTHER_PURPOSE)
        not_api = Purpose("api", lifetime=API.lifetime, audience=API.audience, typ="not-api+jwt")
        await tokens.verify(token, not_api)

    @pytest.mark.parametrize("flaw", [Flaw.WITHOUT_EXPIRY, Flaw.WITHOUT_AUDIENCE])
    async def test_what_lacks_a_claim_is_signed(self, serve: Serve, flaw: Flaw) -> None:
        tokens = serve()
        (*_, jwk) = (await tokens.jwks()).as_dict()["keys"]
        token = await flawed_token(tokens, API, flaw)
        assert verify_compact(token, jwk, algorithms=["EdDSA"])

    async def test_what_is_altered_was_signed_as_it_was(self, serve: Serve) -> None:
        tokens = serve()
        altered = (await flawed_token(tokens, API, Flaw.ALTERED, subject="20")).split(".")
        good = (await tokens.mint(API, subject="20")).split(".")
        assert altered[0] == good[0]
        assert altered[2] != good[2]  # of another token, whose id is another

    @pytest.mark.parametrize("flaw", [Flaw.SPENT, Flaw.REVOKED])
    async def test_what_is_used_up_is_so_in_this_store_alone(self, serve: Serve, flaw: Flaw) -> None:
        tokens = serve()
        token = await flawed_token(tokens, LOGIN, flaw)
        await serve(keys=tokens.workings.keys).verify(token, LOGIN)


async def test_it_says_what_the_test_wants_it_to_say(serve: Serve) -> None:
    """Scopes, so that a guard does not refuse it for those."""
    tokens = serve()
    token = await flawed_token(tokens, ORDER, Flaw.OTHER_PURPOSE, subject="7", claims=Order(3), scopes=["orders:write"])
    as_it_is = Purpose("any", lifetime=MINUTE, claims=Order, typ="not-order+jwt")
    seen = await tokens.verify(token, as_it_is, scopes=["orders:write"])
    assert (seen.subject, seen.claims) == ("7", Order(3))


@pytest.mark.parametrize(
    ("purpose", "impossible"),
    [
        (LOGIN, set()),
        (API, {Flaw.SPENT}),
        (BARE, {Flaw.SPENT, Flaw.REVOKED, Flaw.WITHOUT_AUDIENCE}),
    ],
    ids=["login", "api", "bare"],
)
async def test_what_a_token_cannot_be_is_not_made(serve: Serve, purpose: Purpose[Any], impossible: set[Flaw]) -> None:
    assert set(Flaw) - set(flaws_of(purpose)) == impossible
    for flaw in impossible:
        with pytest.raises(ConfigurationError, match=f"{purpose.name}: no token of this purpose can be {flaw}"):
            await flawed_token(serve(), purpose, flaw, claims=GIVEN[purpose])


async def test_a_request_that_does_not_fit_is_told(serve: Serve) -> None:
    with pytest.raises(ConfigurationError, match="claims= is needed, 'number'"):
        await flawed_token(serve(), ORDER, Flaw.FORGED)


async def test_an_attackers_kid_is_no_version_of_ours(serve: Serve) -> None:
    tokens = serve(keys=MemoryKeyProvider(policy=RotationPolicy(every=None)))
    with pytest.raises(KeyNotFoundError):
        await tokens.verify(await flawed_token(tokens, API, Flaw.UNKNOWN_KEY), API)
    assert len(await tokens.workings.keys.versions()) == 2


async def test_a_flaw_spends_nothing_else(serve: Serve) -> None:
    tokens = serve()
    token = await tokens.mint(LOGIN, subject="20")
    for flaw in Flaw:
        await refusal(tokens, await flawed_token(tokens, LOGIN, flaw), LOGIN)
    await tokens.verify(token, LOGIN)
    with pytest.raises(TokenReplayedError):
        await tokens.verify(token, LOGIN)


FIELDS = ("claims", "subject", "issuer", "audience", "scopes", "issued_at", "expires_at", "purpose", "headers")


class TestVerifiedTokens:
    """What `verify` would have given."""

    @pytest.mark.parametrize("purpose", GIVEN, ids=lambda purpose: purpose.name)
    async def test_one_is_as_of_a_real_token(self, serve: Serve, clock: FakeClock, purpose: Purpose[Any]) -> None:
        tokens = serve()
        given: dict[str, Any] = {"subject": "20", "claims": GIVEN[purpose], "scopes": ["orders:read", "orders:write"]}
        real = await tokens.verify(await tokens.mint(purpose, **given), purpose)
        made = verified_token(purpose, **given, clock=clock)
        assert type(made) is VerifiedToken
        assert [getattr(made, field) for field in FIELDS] == [getattr(real, field) for field in FIELDS]
        assert made.id != real.id

    def test_one_is_of_now(self) -> None:
        before = datetime.now(UTC).replace(microsecond=0)
        made = verified_token(LOGIN, subject=None, issuer="https://other.test")
        assert before <= made.issued_at <= datetime.now(UTC)
        assert (made.subject, made.issuer, made.key_id) == (None, "https://other.test", "a-key-of-tests")

    def test_claims_are_as_a_token_hands_them_on(self) -> None:
        assert verified_token(API, claims={"roles": ("editor",)}).claims == {"roles": ["editor"]}

    def test_what_nobody_could_mint_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="without spaces") as caught:
            verified_token(BARE, subject="", scopes=["a b"])
        assert "tenant" in str(caught.value)
        assert "subject must not be empty" in str(caught.value)
