"""What a request may ask for, to the instant: lifetimes against keys, rounding, ids, audiences and scopes."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.jose.base64url import decode
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.testing import FakeClock

LEEWAY = timedelta(seconds=30)
LIFETIME = timedelta(minutes=10)
INSTANT = timedelta(microseconds=1)
ACCESS = Purpose("access", lifetime=LIFETIME, leeway=LEEWAY)


def service(*, previous_ttl: timedelta = timedelta(days=1), clock: FakeClock | None = None) -> TokenService:
    clock = clock or FakeClock()
    policy = RotationPolicy(every=None, previous_ttl=previous_ttl, publish_ahead=timedelta(0))
    return TokenService(issuer="i", keys=MemoryKeyProvider(policy=policy, clock=clock), clock=clock)


async def claims_of(tokens: TokenService, purpose: Purpose[Any] = ACCESS, **request: Any) -> dict[str, Any]:
    token = await tokens.mint(purpose, **request)
    found: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return found


class TestALifetime:
    async def test_and_its_leeway_may_be_as_long_as_keys_verify(self) -> None:
        await service(previous_ttl=LIFETIME + LEEWAY).mint(ACCESS)
        with pytest.raises(ConfigurationError) as caught:
            await service(previous_ttl=LIFETIME + LEEWAY - INSTANT).mint(ACCESS)
        assert f"lifetime {LIFETIME} plus leeway {LEEWAY} outlives" in str(caught.value)

    async def test_of_a_request_is_measured_instead_of_the_purposes(self) -> None:
        short = timedelta(minutes=1)
        await service(previous_ttl=short + LEEWAY).mint(ACCESS, lifetime=short)
        with pytest.raises(ConfigurationError) as caught:
            await service(previous_ttl=short + LEEWAY - INSTANT).mint(ACCESS, lifetime=short)
        assert f"lifetime {short} plus leeway {LEEWAY} outlives" in str(caught.value)

    async def test_may_be_the_purposes_and_is_longer_than_nothing(self) -> None:
        tokens = service()
        await tokens.mint(ACCESS, lifetime=LIFETIME)
        await tokens.mint(ACCESS, lifetime=INSTANT)
        for lifetime, problem in (
            (LIFETIME + INSTANT, "is longer than the purpose's"),
            (timedelta(0), "must be positive"),
        ):
            with pytest.raises(ConfigurationError, match=problem):
                await tokens.mint(ACCESS, lifetime=lifetime)


async def test_a_token_is_issued_in_the_second_that_has_begun() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=0.999))
    claims = await claims_of(service(clock=clock))
    assert claims["iat"] == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert claims["exp"] == claims["iat"] + LIFETIME.total_seconds()


async def test_instants_are_written_to_the_microsecond_and_without_a_needless_fraction() -> None:
    clock = FakeClock()
    tokens = service(clock=clock)
    claims = await claims_of(tokens, lifetime=timedelta(seconds=1.5), not_before=clock.now() + INSTANT)
    assert claims["exp"] == clock.time() + 1.5
    assert claims["nbf"] == round(clock.time() + 1e-6, 6)
    whole = await claims_of(tokens, not_before=clock.now())
    assert (type(whole["exp"]), type(whole["nbf"])) == (int, int)


@pytest.mark.parametrize(
    "token_id", ['"quoted"', "back\\slash", "ü", "\x00"], ids=["quotes", "escape", "umlaut", "nul"]
)
async def test_any_text_may_be_an_id(token_id: str) -> None:
    tokens = service()
    token = await tokens.mint(ACCESS, token_id=token_id)
    assert (await tokens.verify(token, ACCESS)).id == token.id == token_id


async def test_half_a_surrogate_pair_is_none() -> None:
    with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
        await service().mint(ACCESS, token_id="\ud800")


@pytest.mark.parametrize(
    "audience", ["", [], ["us", ""], ["", "us"]], ids=["empty", "none", "one empty", "first empty"]
)
async def test_an_audience_has_a_name(audience: str | Sequence[str]) -> None:
    with pytest.raises(ConfigurationError, match="audience must be a non-empty string or several"):
        await service().mint(ACCESS, audience=audience)


@pytest.mark.parametrize("scopes", [["good", "not good"], ["not good", "good"], ['"'], ["\\"], [""]], ids=str)
async def test_every_scope_is_one_word(scopes: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="scopes must be words"):
        await service().mint(ACCESS, scopes=scopes)


GIVEN: dict[str, Any] = {
    "audience": "us",
    "subject": "20",
    "scopes": ["read"],
    "not_before": datetime(2026, 1, 1, tzinfo=UTC),
}


class TestRequiredClaims:
    purpose = Purpose("strict", lifetime=LIFETIME, required=["aud", "sub", "scope", "nbf"])

    async def test_may_come_from_the_request(self) -> None:
        assert (await claims_of(service(), self.purpose, **GIVEN))["aud"] == "us"

    async def test_may_come_from_the_purpose(self) -> None:
        purpose = Purpose("strict", lifetime=LIFETIME, required=["aud"], audience="us")
        assert (await claims_of(service(), purpose))["aud"] == "us"

    @pytest.mark.parametrize(
        ("argument", "claim"), [("audience", "aud"), ("subject", "sub"), ("scopes", "scope"), ("not_before", "nbf")]
    )
    async def test_that_are_missing_are_named(self, argument: str, claim: str) -> None:
        given = {name: value for name, value in GIVEN.items() if name != argument}
        with pytest.raises(ConfigurationError, match=f"are missing: {claim}$"):
            await service().mint(self.purpose, **given)
