"""What is missing is named, with the command that brings it."""

import sys

import pytest

from mintkey import MissingExtraError, Reason


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("mintkey.integrations.prometheus", "prometheus_client", "prometheus"),
        ("mintkey.integrations.opentelemetry", "opentelemetry.metrics", "otel"),
    ],
    ids=["prometheus", "opentelemetry"],
)
def test_without_the_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str, extra: str
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'mintkey\[{extra}\]'") as caught:
        __import__(module)
    assert caught.value.reason is Reason.EXTRA_MISSING
