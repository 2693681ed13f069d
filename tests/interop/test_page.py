"""What `docs/how-to/interop.md` shows is so: the table, and every example in it."""

import re
from typing import Any

import pytest
from anyio import to_thread

from mintkey import TokenService
from mintkey.keys import StaticKeyProvider
from tests.docs.page import Page
from tests.interop.libraries import ALGORITHMS, PYTHON, NodeJose
from tests.interop.matrix import ACCESS, AUDIENCE, BOTH_WAYS, ISSUER, table
from tests.interop.oidc_provider import token_of
from tests.support.signing_keys import jwk_of

PAGE = Page("interop")
CONSTANTS = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE}

# Examples, each a module of its own, in the order of the page.
WITH_AN_ISSUER_ELSEWHERE, *EXAMPLES = PAGE.blocks()
(FOR_NODE,) = PAGE.blocks("js")
OF_LIBRARY = dict(zip([library.name for library in PYTHON], EXAMPLES, strict=True))


@pytest.fixture
async def ours(publish):
    """A token of ours, and where its key is published."""
    provider = StaticKeyProvider({"keys": [jwk_of("ES256")]})
    async with TokenService(issuer=ISSUER, keys=provider) as tokens:
        token = await tokens.mint(ACCESS, subject="20", claims={"client_id": "web"}, scopes=["orders:read"])
        return str(token), publish((await tokens.jwks()).as_dict())


def test_the_table_is_that_of_the_tests_which_all_pass() -> None:
    names = [*(library.name for library in PYTHON), NodeJose.name]
    assert table({name: [BOTH_WAYS] * len(ALGORITHMS) for name in names}) in PAGE.text


def test_the_examples_are_in_the_order_of_the_libraries() -> None:
    assert re.findall(r"^\*\*(\w+)", PAGE.text, re.MULTILINE) == [*OF_LIBRARY, "jose"]


@pytest.mark.parametrize("library", list(OF_LIBRARY))
async def test_the_example_of_a_library_accepts_a_token_of_ours(library, ours) -> None:
    names: dict[str, Any] = dict(CONSTANTS)
    exec(OF_LIBRARY[library], names)  # noqa: S102 - it is our own page
    seen = await to_thread.run_sync(names["accept"], *ours)
    assert (seen["sub"], seen["scope"]) == ("20", "orders:read")


async def test_the_example_for_node_accepts_a_token_of_ours(node_packages, ours) -> None:
    seen = await to_thread.run_sync(lambda: node_packages.call(FOR_NODE, "accept", *ours, constants=CONSTANTS))
    assert (seen["sub"], seen["scope"]) == ("20", "orders:read")


async def test_the_example_with_an_issuer_elsewhere_accepts_its_token(start_provider) -> None:
    provider = await to_thread.run_sync(lambda: start_provider(billing={"client_secret": "secret"}))
    names: dict[str, Any] = {}
    exec(WITH_AN_ISSUER_ELSEWHERE, names)  # noqa: S102 - it is our own page
    token = await token_of(provider, "secret")
    async with await names["verifier_for"](provider.issuer) as verifier:
        assert (await verifier.verify(token, names["ACCESS"])).subject == "billing"


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 170
