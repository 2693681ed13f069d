"""A real OpenID provider: its metadata, its keys as they rotate, and its tokens, which we get and verify."""

from datetime import timedelta

import pytest
from anyio import to_thread

from mintkey import ClaimError, KeyNotFoundError, Reason, TokenEndpointError, TokenService, TokenVerifier, presets
from mintkey.keys import MemoryKeyProvider
from mintkey.keys.remote import JWKSKeyResolver
from mintkey.oauth import PrivateKeyJWT, discover
from mintkey.testing import FakeClock
from tests.interop.libraries import ALGORITHMS
from tests.interop.matrix import PATIENCE
from tests.interop.oidc_provider import SECRET, OidcProvider, token_of

ACCESS = presets.ACCESS.replace(audience=OidcProvider.audience)

COOLDOWN = timedelta(seconds=30)
BILLING = {"client_secret": SECRET}


@pytest.fixture
def start(start_provider):
    """Starts one, away from the event loop."""

    async def begin(algorithm="RS256", **clients) -> OidcProvider:
        return await to_thread.run_sync(lambda: start_provider(algorithm, **(clients or {"billing": BILLING})))

    return begin


async def keys_of(provider: OidcProvider, clock: FakeClock | None = None) -> JWKSKeyResolver:
    """Its keys, where its metadata say that they are."""
    metadata = await discover(provider.issuer, timeout=PATIENCE)
    assert metadata.jwks_uri is not None
    return JWKSKeyResolver(metadata.jwks_uri, clock=clock, timeout=PATIENCE, cooldown=COOLDOWN)


async def test_its_metadata_are_read(start) -> None:
    provider = await start()
    metadata = await discover(provider.issuer)
    assert metadata.issuer == provider.issuer
    assert metadata.jwks_uri == f"{provider.issuer}/jwks"
    assert metadata.token_endpoint == f"{provider.issuer}/token"
    assert metadata.authorization_endpoint == f"{provider.issuer}/auth"
    assert "client_credentials" in metadata.raw["grant_types_supported"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_its_access_tokens_verify(start, algorithm) -> None:
    provider = await start(algorithm)
    token = await token_of(provider, scope=["orders:read"])
    async with TokenVerifier(issuer=provider.issuer, keys=await keys_of(provider)) as verifier:
        seen = await verifier.verify(token, ACCESS, scopes=["orders:read"])
    assert (seen.subject, seen.claims, sorted(seen.scopes)) == ("billing", {"client_id": "billing"}, ["orders:read"])
    assert seen.expires_at - seen.issued_at == timedelta(minutes=10)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_is_sent_as_it_likes_it(start, method) -> None:
    provider = await start(billing={**BILLING, "token_endpoint_auth_method": method})
    assert (await token_of(provider, authentication=method)).count(".") == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_it_accepts_assertions_that_we_mint(start, algorithm) -> None:
    async with TokenService(issuer="billing", keys=MemoryKeyProvider(algorithm=algorithm)) as tokens:
        metadata = {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": algorithm,
            "jwks": (await tokens.jwks()).as_dict(),
        }
        provider = await start(billing=metadata)
        assert await token_of(provider, None, authentication=PrivateKeyJWT(tokens))
        assert await token_of(provider, None, authentication=PrivateKeyJWT(tokens, audience=provider.issuer))


async def test_it_refuses_a_wrong_secret(start) -> None:
    provider = await start()
    with pytest.raises(TokenEndpointError) as caught:
        await token_of(provider, "wrong")
    assert caught.value.reason is Reason.TOKEN_ENDPOINT_REJECTED
    assert caught.value.details["error"] == "invalid_client"


async def test_it_rotates_and_nobody_is_refused(start) -> None:
    """It signs with the new key at once, without having published it before."""
    provider = await start()
    clock = FakeClock()
    async with TokenVerifier(issuer=provider.issuer, keys=await keys_of(provider, clock)) as verifier:
        old = await token_of(provider)
        old_kid = (await verifier.verify(old, ACCESS)).key_id

        new_kid = await to_thread.run_sync(provider.rotate)
        new = await token_of(provider)
        clock.advance(COOLDOWN)
        assert (await verifier.verify(new, ACCESS)).key_id == new_kid != old_kid
        assert (await verifier.verify(old, ACCESS)).key_id == old_kid
        assert await to_thread.run_sync(provider.fetches) == 2


async def test_a_key_that_it_withdrew_is_unknown_after_the_next_fetch(start) -> None:
    provider = await start()
    clock = FakeClock()
    async with TokenVerifier(issuer=provider.issuer, keys=await keys_of(provider, clock)) as verifier:
        old = await token_of(provider)
        await verifier.verify(old, ACCESS)
        await to_thread.run_sync(provider.rotate)
        await to_thread.run_sync(provider.retire)
        clock.advance(COOLDOWN)
        await verifier.verify(await token_of(provider), ACCESS)  # an unknown kid: the set is fetched again
        with pytest.raises(KeyNotFoundError):
            await verifier.verify(old, ACCESS)


async def test_a_token_for_somebody_else_is_not_for_us(start) -> None:
    provider = await start()
    token = await token_of(provider)
    async with TokenVerifier(issuer=provider.issuer, keys=await keys_of(provider)) as verifier:
        with pytest.raises(ClaimError) as caught:
            await verifier.verify(token, ACCESS.replace(audience="https://other.example"))
    assert caught.value.reason is Reason.AUDIENCE_MISMATCH
