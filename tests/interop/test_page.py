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

PAGE = Page("interop").text
CONSTANTS = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE}
BLOCK = r"(?:(?!```).)*?^```{language}\n(.*?)^```$"


def example(title: str, language: str = "python") -> str:
    """The first code under a heading or a bold title."""
    found = re.search(rf"^{re.escape(title)}[^\n]*\n{BLOCK.format(language=language)}", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


@pytest.fixture
async def ours(publish):
    """A token of ours, and where its key is published."""
    provider = StaticKeyProvider({"keys": [jwk_of("ES256")]})
    async with TokenService(issuer=ISSUER, keys=provider) as tokens:
        token = await tokens.mint(ACCESS, subject="20", claims={"client_id": "web"}, scopes=["orders:read"])
        return str(token), publish((await tokens.jwks()).as_dict())


def test_the_table_is_that_of_the_tests_which_all_pass() -> None:
    names = [*(library.name for library in PYTHON), NodeJose.name]
    assert table({name: [BOTH_WAYS] * len(ALGORITHMS) for name in names}) in PAGE


@pytest.mark.parametrize("library", [library.name for library in PYTHON])
async def test_the_example_of_a_library_accepts_a_token_of_ours(library, ours) -> None:
    names: dict[str, Any] = dict(CONSTANTS)
    exec(example(f"**{library}**"), names)  # noqa: S102 - it is our own page
    seen = await to_thread.run_sync(names["accept"], *ours)
    assert (seen["sub"], seen["scope"]) == ("20", "orders:read")


async def test_the_example_for_node_accepts_a_token_of_ours(node_packages, ours) -> None:
    source = example("**jose,", "js")
    seen = await to_thread.run_sync(lambda: node_packages.call(source, "accept", *ours, constants=CONSTANTS))
    assert (seen["sub"], seen["scope"]) == ("20", "orders:read")


async def test_the_example_with_an_issuer_elsewhere_accepts_its_token(start_provider) -> None:
    provider = await to_thread.run_sync(lambda: start_provider(billing={"client_secret": "secret"}))
    names: dict[str, Any] = {}
    exec(example("## You verify theirs"), names)  # noqa: S102 - it is our own page
    token = await token_of(provider, "secret")
    async with await names["verifier_for"](provider.issuer) as verifier:
        assert (await verifier.verify(token, names["ACCESS"])).subject == "billing"


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) < 170
