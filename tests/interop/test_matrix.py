"""Every library accepts our tokens, and we accept theirs: RFC 9068 access tokens, by keys that are fetched."""

from functools import partial
from urllib.parse import urlsplit

import pytest
from anyio import to_thread
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator  # type: ignore[import-untyped]  # it has no types
from joserfc.jwk import KeySet

from mintkey import TokenService
from mintkey.keys import MemoryKeyProvider, RotationPolicy
from tests.interop.libraries import ALGORITHMS, Authlib, NodeJose
from tests.interop.matrix import ACCESS, AUDIENCE, ISSUER, accept, claims_of, header_of, ours_there, theirs_here


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_our_tokens_verify_there(library, algorithm, publish) -> None:
    await ours_there(library, algorithm, publish)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_their_tokens_verify_here(library, algorithm, publish) -> None:
    await theirs_here(library, algorithm, publish)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "PS256"])
async def test_a_key_that_does_not_say_its_algorithm_has_that_of_its_kind(library, algorithm, publish) -> None:
    issuer = library.issuer(algorithm)
    bare = {"keys": [{name: value for name, value in key.items() if name != "alg"} for key in issuer.jwks["keys"]]}
    token = issuer.sign(header_of(issuer, algorithm), claims_of())
    assert (await accept(token, publish(bare))).key_id == issuer.kid


async def test_the_newer_name_of_eddsa_is_understood_in_header_and_key(newer_library, publish) -> None:
    issuer = newer_library.issuer("Ed25519")
    token = issuer.sign(header_of(issuer, "Ed25519"), claims_of())
    assert issuer.jwks["keys"][0]["alg"] == "Ed25519"
    assert (await accept(token, publish(issuer.jwks))).subject == "20"


async def test_node_follows_a_rotation_without_asking_again(node_jose: NodeJose, publish, server) -> None:
    """The successor was published before: who caches the set knows it already."""
    keys = MemoryKeyProvider(policy=RotationPolicy(every=None))
    async with TokenService(issuer=ISSUER, keys=keys) as tokens:
        url = publish((await tokens.jwks()).as_dict())
        before = await tokens.mint(ACCESS, subject="20")
        await keys.rotate()
        after = await tokens.mint(ACCESS, subject="20")
    assert before.key_id != after.key_id
    accept_there = partial(node_jose.accept, url=url, algorithm="EdDSA", issuer=ISSUER, audience=AUDIENCE)
    for token in (before, after):
        assert (await to_thread.run_sync(accept_there, str(token)))["jti"] == token.id
    assert server.count(urlsplit(url).path) == 1


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_what_authlib_makes_of_rfc_9068_verifies_here(algorithm, publish) -> None:
    issuer = Authlib().issuer(algorithm)

    class Generator(JWTBearerTokenGenerator):  # type: ignore[misc]  # it has no types
        def get_jwks(self):
            return KeySet.import_key_set({"keys": [{**issuer.key.as_dict(is_private=True), "kid": issuer.kid}]})

        def get_audiences(self, client, user, scope):
            return [AUDIENCE, ISSUER]

    class Client:
        def get_client_id(self):
            return "web"

    token = Generator(ISSUER, alg=algorithm).access_token_generator(Client(), "client_credentials", None, "a b")
    seen = await accept(token, publish(issuer.jwks))
    assert (seen.subject, seen.audience, sorted(seen.scopes)) == ("web", (AUDIENCE, ISSUER), ["a", "b"])
