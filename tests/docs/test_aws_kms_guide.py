"""The guide to AWS KMS does what it says, on a KMS of the tests; its policy allows what is asked for and no more."""

import json
from pathlib import Path
from typing import Any

import pytest

from mintkey import Purpose, presets
from mintkey.errors import MintkeyError
from mintkey.keys import Sealer, SQLKeyProvider
from tests.docs.page import DOCS, Page
from tests.support.kms import KmsProxy, KmsServer

pytest_plugins = ["tests.support.kms_fixtures"]

PAGE = Page("aws-kms")
ACCESS: Purpose[Any] = presets.SERVICE


@pytest.fixture
def names(kms_proxy: KmsProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page defines, where KMS is the one of the tests."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/keys.db")
    monkeypatch.setenv("MINTKEY_RING_SEALER", Sealer.generate_key())
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", kms_proxy.url())
    return PAGE.names()


async def test_it_mints_rotates_sweeps_and_moves_in(names: dict[str, Any], kms: KmsServer, kms_proxy: KmsProxy) -> None:
    """And asks for nothing that the policy does not allow."""
    async with names["service"]() as tokens:
        token = await tokens.mint(ACCESS, subject="billing")
        assert (await tokens.verify(token, ACCESS)).subject == "billing"
    assert all(kms.tags(arn)["mintkey-ring"] == "logins" for arn in kms.arns())
    about = kms.call("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.call("CreateAlias", AliasName="alias/token-signing", TargetKeyId=about["KeyId"])
    await names["move_in"]()
    async with names["provider"]() as keys:
        assert len(await keys.versions()) == 3
        for _ in range(2):
            await keys.rotate()
        assert (await (await keys.acquire()).key.sign(b"input")) is not None
        await keys.workings.keychain.destroy([(await keys.workings.keeper.refresh()).ring.versions[0].material])
    assert await names["clean_up"]() == ()
    (policy,) = PAGE.blocks("json")
    statements = json.loads(policy)["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    assert {f"kms:{operation}" for operation in kms_proxy.asked} == allowed


async def test_a_sealed_ring_moves(names: dict[str, Any], kms: KmsServer) -> None:
    sealer = Sealer([Sealer.generate_key()])
    before = SQLKeyProvider(names["DATABASE"], ring="logins", algorithm="ES256", sealer=sealer)
    async with before:
        kid = (await before.acquire()).key.kid
    async with names["moving"](sealer) as keys:
        assert (await keys.acquire()).key.kid == kid
        await keys.rotate()
        active = await keys.rotate()
        await (await keys.acquire()).key.sign(b"input")
        assert (await keys.resolve(kid)).kid == kid
    assert active.kid in {kms.tags(arn)["mintkey-kid"] for arn in kms.arns()}


async def test_an_envelope_opens_a_ring(names: dict[str, Any], kms: KmsServer, kms_proxy: KmsProxy) -> None:
    about = kms.call("CreateKey")["KeyMetadata"]
    kms.call("CreateAlias", AliasName="alias/mintkey", TargetKeyId=about["KeyId"])
    stored = await names["new_sealer_key"]()
    for _ in range(2):
        async with await names["enveloped"]([stored]) as keys:
            assert len(await (await keys.acquire()).key.sign(b"input")) == 64
    assert kms_proxy.asked == ["GenerateDataKeyWithoutPlaintext", "Decrypt", "Decrypt"]
    with pytest.raises(MintkeyError):
        await names["enveloped"]([stored[:-4] + "AAAA"])


def test_the_figures_of_the_page_are_the_defaults() -> None:
    """Told in the table, and true of the constructor."""
    from inspect import signature

    from mintkey.keys import AwsKmsCustodian

    defaults = {name: each.default for name, each in signature(AwsKmsCustodian).parameters.items()}
    assert f"`concurrency` ({defaults['concurrency']})" in PAGE.text
    assert f"`timeout` ({defaults['timeout'].seconds} s)" in PAGE.text
    assert f"`deletion_window` ({defaults['deletion_window'].days} days)" in PAGE.text


def test_the_page_is_found() -> None:
    assert "(aws-kms.md)" in (DOCS / "how-to/index.md").read_text(encoding="utf-8")
