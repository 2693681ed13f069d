"""How a client proves who it is."""

import base64
import pickle
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.keys import MemoryKeyProvider
from mintkey.oauth.client_authentication import ClientSecretBasic, ClientSecretPost, PrivateKeyJWT, Proof
from mintkey.testing import FakeClock

TOKEN_URL = "https://login.example/token"


@pytest.fixture
async def tokens() -> AsyncIterator[TokenService]:
    clock = FakeClock()
    async with TokenService(issuer="billing", keys=MemoryKeyProvider(clock=clock), clock=clock) as service:
        yield service


@pytest.mark.parametrize(
    ("client_id", "secret", "pair"),
    [
        ("s6BhdRkqt3", "gX1fBat3bV", "s6BhdRkqt3:gX1fBat3bV"),  # RFC 6749 §2.3.1
        ("a:b", "c d+e%é", "a%3Ab:c+d%2Be%25%C3%A9"),
    ],
)
async def test_basic_encodes_id_and_secret_before_it_joins_them(client_id: str, secret: str, pair: str) -> None:
    authentication = ClientSecretBasic(secret)
    assert authentication.problems(client_id) == ()
    proof = await authentication.prove(client_id, token_url=TOKEN_URL)
    scheme, _, value = proof.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", pair)
    assert proof.form == {}


async def test_post_puts_them_into_the_body() -> None:
    authentication = ClientSecretPost("secret")
    assert authentication.problems("billing") == ()
    proof = await authentication.prove("billing", token_url=TOKEN_URL)
    assert proof == Proof(form={"client_id": "billing", "client_secret": "secret"})


async def test_a_private_key_makes_an_assertion_that_the_endpoint_can_verify(tokens: TokenService) -> None:
    """RFC 7523 §3: issuer and subject are the client, the audience is the endpoint, with an id and a short life."""
    proof = await PrivateKeyJWT(tokens).prove("billing", token_url=TOKEN_URL)
    assert proof.form["client_id"] == "billing"
    assert proof.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = Purpose("assertion", lifetime=timedelta(minutes=1), audience=TOKEN_URL, typ="JWT", required=["sub"])
    seen = await tokens.verify(proof.form["client_assertion"], assertion)
    assert (seen.issuer, seen.subject, seen.audience) == ("billing", "billing", (TOKEN_URL,))
    assert seen.expires_at - seen.issued_at == timedelta(minutes=1)
    assert proof.headers == {}


async def test_every_request_has_an_assertion_of_its_own(tokens: TokenService) -> None:
    authentication = PrivateKeyJWT(tokens)
    proofs = [await authentication.prove("billing", token_url=TOKEN_URL) for _ in range(2)]
    assert proofs[0].form["client_assertion"] != proofs[1].form["client_assertion"]


async def test_audience_and_lifetime_are_settings(tokens: TokenService) -> None:
    authentication = PrivateKeyJWT(tokens, audience="https://login.example", lifetime=timedelta(seconds=20))
    proof = await authentication.prove("billing", token_url=TOKEN_URL)
    assertion = Purpose("assertion", lifetime=timedelta(minutes=1), audience="https://login.example", typ="JWT")
    seen = await tokens.verify(proof.form["client_assertion"], assertion)
    assert seen.expires_at - seen.issued_at == timedelta(seconds=20)


async def test_the_service_must_speak_for_the_client(tokens: TokenService) -> None:
    authentication = PrivateKeyJWT(tokens)
    assert authentication.problems("billing") == ()
    (problem,) = authentication.problems("orders")
    assert "must have the client id as its issuer" in problem


async def test_wrong_settings_are_refused(tokens: TokenService) -> None:
    with pytest.raises(ConfigurationError, match="lifetime must be positive"):
        PrivateKeyJWT(tokens, lifetime=timedelta(0))
    with pytest.raises(ConfigurationError, match="audience"):
        PrivateKeyJWT(tokens, audience="")


async def test_nothing_shows_a_secret(tokens: TokenService) -> None:
    for authentication in (ClientSecretBasic("hush"), ClientSecretPost("hush"), PrivateKeyJWT(tokens)):
        proof = await authentication.prove("billing", token_url=TOKEN_URL)
        shown = f"{authentication!r}{proof!r}"
        assert not any(secret in shown for secret in ("hush", *proof.form.values(), *proof.headers.values()))


@pytest.mark.parametrize("kind", [ClientSecretBasic, ClientSecretPost])
def test_a_secret_is_not_pickled(kind: type[ClientSecretBasic | ClientSecretPost]) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} holds a secret"):
        pickle.dumps(kind("hunter2"))
