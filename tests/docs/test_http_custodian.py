"""The custodian of the guide keeps its contract on a server with the API of Vault's transit engine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from mintkey import KeyProviderError, Reason
from mintkey.keys import KeyMaterial
from tests.docs.page import Page
from tests.docs.users_tests import run_tests
from tests.support.polling import PATIENCE
from tests.support.transit import Transit, running_transit

PAGE = Page("http-custodian")
TOKEN = "hvs.a-token"


@pytest.fixture
def transit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transit]:
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    with running_transit(TOKEN) as transit:
        monkeypatch.setenv("VAULT_ADDR", transit.url)
        monkeypatch.setenv("VAULT_TOKEN_FILE", str(tmp_path / "token"))
        yield transit


def test_it_passes_its_contract(tmp_path: Path, transit: Transit) -> None:
    printed = run_tests(tmp_path, PAGE.blocks())
    assert re.search(r"^16 passed in ", printed, re.MULTILINE), printed
    assert transit.asked["DELETE"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (('"marshaling_algorithm": "jws", ', ""), "TestTransit::test_what_it_signs_verifies"),
        (("!= material.kid:", "!= material.kid and False:"), "TestTransit::test_a_handle_of_another_key_does_not_sign"),
        (("if not re.fullmatch(", "if False and re.fullmatch("), "test_a_ring_does_not_lead_elsewhere"),
    ],
    ids=["DER", "any key", "any path"],
)
def test_what_is_left_out_is_found(tmp_path: Path, transit: Transit, change: tuple[str, str], found: str) -> None:
    assert f"FAILED test_page.py::{found}" in run_tests(tmp_path, PAGE.blocks(), change)


def test_it_has_60_lines() -> None:
    custodian = PAGE.blocks()[1].partition("\ndef _path")[0]
    assert len([line for line in custodian.splitlines() if line.strip()]) <= 60


class TestWhenTheServerFails:
    @pytest.fixture
    def patience(self) -> float:
        return PATIENCE.total_seconds()

    @pytest.fixture
    async def custodian(self, transit: Transit, tmp_path: Path, patience: float) -> Any:
        custodian = PAGE.names()["TransitCustodian"](transit.url, token_file=tmp_path / "token", timeout=patience)
        yield custodian
        await custodian.aclose()

    @pytest.mark.parametrize("status", [301, 403, 429, 500, 503])
    async def test_a_refusal_is_told_and_nothing_of_its_text(
        self, transit: Transit, custodian: Any, status: int
    ) -> None:
        material: KeyMaterial = await custodian.create("ES256")
        key = await custodian.open(material)
        transit.refusing = status
        for call in (custodian.create("ES256"), custodian.open(material), custodian.destroy(material)):
            with pytest.raises(KeyProviderError, match=rf"did not answer \({status}\)") as raised:
                await call
            assert "sealed" not in str(raised.value)
        with pytest.raises(KeyProviderError, match="did not sign") as raised:
            await key.sign(b"input")
        assert raised.value.reason is Reason.SIGNING_FAILED

    @pytest.mark.parametrize("patience", [0.2])
    async def test_it_waits_no_longer_than_the_timeout(self, transit: Transit, custodian: Any) -> None:
        transit.released.clear()
        with anyio.fail_after(5), pytest.raises(KeyProviderError, match="TimeoutError"):
            await custodian.create("ES256")

    async def test_a_token_that_was_renewed_is_taken(self, transit: Transit, custodian: Any, tmp_path: Path) -> None:
        await custodian.create("ES256")
        transit.token = "hvs.another"
        with pytest.raises(KeyProviderError, match="403"):
            await custodian.create("ES256")
        (tmp_path / "token").write_text(transit.token, "utf-8")
        await custodian.create("ES256")

    async def test_a_token_that_is_not_there_is_an_error_of_ours(
        self, transit: Transit, custodian: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "token").unlink()
        with pytest.raises(KeyProviderError, match="FileNotFoundError"):
            await custodian.create("ES256")
        assert not transit.asked

    async def test_nothing_of_others_is_deleted(self, custodian: Any, transit: Transit) -> None:
        mine, other = await custodian.create("ES256"), await custodian.create("ES256")
        lie = KeyMaterial(kid=mine.kid, algorithm="ES256", public_jwk=mine.public_jwk, handle=other.handle)
        with pytest.raises(KeyProviderError, match="names another key"):
            await custodian.destroy(lie)
        assert len(transit.keys) == 2
