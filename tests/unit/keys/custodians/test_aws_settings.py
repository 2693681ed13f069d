"""What a custodian for AWS KMS is made from, and what it says when that does not fit."""

import sys
from datetime import timedelta
from typing import Any

import pytest

from mintkey.errors import ConfigurationError, MissingExtraError, Reason
from mintkey.keys import AwsKmsCustodian, KeyMaterial
from mintkey.lifecycle import Resource


def test_it_shows_its_ring_alone() -> None:
    assert (
        repr(AwsKmsCustodian(ring="logins", endpoint_url="https://user:secret@kms")) == "AwsKmsCustodian(ring='logins')"
    )


def test_it_is_opened_and_closed_like_everything_with_connections() -> None:
    assert isinstance(AwsKmsCustodian(), Resource)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ring": ""}, "ring must be"),
        ({"ring": "a~b"}, "ring must be"),
        ({"ring": "a/b"}, "ring must be"),
        ({"timeout": timedelta(0)}, "timeout must be positive"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"rsa_bits": 2047}, "rsa_bits must be one of 2048, 3072, 4096"),
        ({"deletion_window": timedelta(days=6)}, "deletion_window must be 7 to 30 whole days"),
        ({"deletion_window": timedelta(days=31)}, "deletion_window"),
        ({"deletion_window": timedelta(days=7, hours=1)}, "deletion_window"),
        ({"client": object()}, "client must be a KMS client of aiobotocore"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        AwsKmsCustodian(**settings)


@pytest.mark.parametrize("days", [7, 30])
@pytest.mark.parametrize("rsa_bits", [2048, 3072, 4096])
def test_the_bounds_fit(days: int, rsa_bits: int) -> None:
    AwsKmsCustodian(deletion_window=timedelta(days=days), rsa_bits=rsa_bits, concurrency=1, ring="A-Z.a_z")


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AwsKmsCustodian(rsa_bits=1, concurrency=0)
    assert len(caught.value.details["problems"]) == 2  # type: ignore[arg-type]  # details are objects
    with pytest.raises(ConfigurationError, match=r"boto3 would stop the event loop.*the given one has its own"):
        AwsKmsCustodian(object(), region_name="eu-central-1")


async def test_a_handle_that_is_none_is_not_asked_about() -> None:
    """There is no KMS here: whoever asked it would get another error."""
    custodian = AwsKmsCustodian(endpoint_url="http://127.0.0.1:1", region_name="eu-central-1")
    for handle in ("", "sealed1.abc", "alias/tokens", "arn:aws:s3:eu-central-1:123456789012:key/abc"):
        material = KeyMaterial(kid="k1", algorithm="ES256", public_jwk=None, handle=handle)
        with pytest.raises(Exception, match="its handle is no ARN of a KMS key"):
            await custodian.open(material)
        await custodian.destroy(material)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mintkey.keys.custodians.aws")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"aiobotocore", "botocore"}]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("aiobotocore", "botocore", "botocore.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[aws\]'") as caught:
        __import__("mintkey.keys.custodians.aws_kms")
    assert caught.value.reason is Reason.EXTRA_MISSING
