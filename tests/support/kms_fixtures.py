"""AWS KMS as fixtures, for the modules that name this one in `pytest_plugins`."""

from collections.abc import AsyncIterator, Iterator
from functools import cache

import botocore.session  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.support.kms import REGION, KmsProxy, KmsServer, running_kms

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",
}


@pytest.fixture(scope="session")
def kms_session() -> Iterator[KmsServer]:
    with running_kms() as server, pytest.MonkeyPatch.context() as patch:
        # Each client reads botocore's models from a thousand files. What is in them does not change between two tests.
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield server


@pytest.fixture
def kms(kms_session: KmsServer, monkeypatch: pytest.MonkeyPatch) -> KmsServer:
    """A KMS without keys, and credentials that it takes."""
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    kms_session.forget()
    return kms_session


@pytest.fixture
async def kms_proxy(kms: KmsServer) -> AsyncIterator[KmsProxy]:
    async with KmsProxy(kms) as proxy:
        yield proxy
