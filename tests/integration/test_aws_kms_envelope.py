"""A key in AWS KMS seals the key-encryption keys of a ring: what is stored opens with KMS alone."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mintkey import ConfigurationError, KeyProviderError
from mintkey.keys import AwsKmsEnvelope, Sealer, SQLKeyProvider
from tests.support.kms import KmsProxy, KmsServer

pytest_plugins = ["tests.support.kms_fixtures"]


@pytest.fixture
def key_id(kms: KmsServer) -> str:
    return str(kms.call("CreateKey")["KeyMetadata"]["Arn"])


def envelope(kms: KmsServer, key_id: str, **settings: Any) -> AwsKmsEnvelope:
    return AwsKmsEnvelope(key_id, endpoint_url=kms.url, **settings)


async def test_a_ring_opens_again_after_a_restart(kms: KmsServer, key_id: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    async with envelope(kms, key_id) as kept:
        stored = await kept.new_key()
    kids: list[str] = []
    for _ in range(2):
        async with envelope(kms, key_id) as kept:
            sealer = await kept.sealer([stored])
        async with SQLKeyProvider(url, sealer=sealer) as keys:
            grant = await keys.acquire()
            await grant.key.sign(b"input")
            kids.append(grant.key.kid)
    assert kids[0] == kids[1]


async def test_the_first_key_seals_and_every_one_opens(kms: KmsServer, key_id: str) -> None:
    async with envelope(kms, key_id) as kept:
        old, new = await kept.new_key(), await kept.new_key()
        text = (await kept.sealer([old])).seal(b"private", aad=b"aad")
        both = await kept.sealer([new, old])
        assert both.open(text, aad=b"aad") == b"private"
        with pytest.raises(KeyProviderError):
            (await kept.sealer([new])).open(text, aad=b"aad")
        (await kept.sealer([new])).open(both.seal(b"private", aad=b"aad"), aad=b"aad")
        assert old != new


async def test_what_was_encrypted_for_one_ring_is_of_no_use_to_another(kms: KmsServer, key_id: str) -> None:
    async with envelope(kms, key_id, ring="logins") as logins, envelope(kms, key_id, ring="payments") as payments:
        stored = await logins.new_key()
        with pytest.raises(KeyProviderError, match="not encrypted by this key and in this context") as caught:
            await payments.sealer([stored])
        assert not caught.value.retryable
        assert isinstance(await logins.sealer([stored]), Sealer)


@pytest.mark.parametrize("text", ["", "not base64url!", "é"])
async def test_what_is_no_text_of_ours_is_not_sent(kms: KmsServer, key_id: str, text: str) -> None:
    async with envelope(kms, key_id) as kept:
        with pytest.raises(ConfigurationError, match="not the text that new_key gave"):
            await kept.sealer([text])
        with pytest.raises(ConfigurationError, match="Sealer"):
            await kept.sealer([])


async def test_kms_is_asked_to_encrypt_what_nobody_sees(kms_proxy: KmsProxy, key_id: str) -> None:
    async with AwsKmsEnvelope(key_id, endpoint_url=kms_proxy.url()) as kept:
        await kept.sealer([await kept.new_key()])
    assert kms_proxy.asked == ["GenerateDataKeyWithoutPlaintext", "Decrypt"]
    context = {"mintkey": "sealer", "mintkey-ring": "default"}
    assert [request.json["EncryptionContext"] for request in kms_proxy.requests] == [context] * 2
    assert kms_proxy.requests[1].json["KeyId"] == key_id


def test_it_shows_its_ring_alone() -> None:
    assert repr(AwsKmsEnvelope("alias/mintkey", ring="logins")) == "AwsKmsEnvelope(ring='logins')"


def test_a_timeout_is_positive() -> None:
    with pytest.raises(ConfigurationError, match="timeout must be positive"):
        AwsKmsEnvelope("alias/mintkey", timeout=timedelta(0))
