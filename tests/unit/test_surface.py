"""The public surface is the one that is documented, lazily where it is optional, and nothing else is imported."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import mintkey
import mintkey.bus
import mintkey.events
import mintkey.http
import mintkey.integrations.bearer
import mintkey.integrations.cookies
import mintkey.integrations.fastapi
import mintkey.integrations.httpx
import mintkey.integrations.logging
import mintkey.integrations.opentelemetry
import mintkey.integrations.prometheus
import mintkey.integrations.settings
import mintkey.integrations.starlette
import mintkey.jose
import mintkey.keys
import mintkey.oauth
import mintkey.refresh
import mintkey.replay
import mintkey.testing

ROOT_NAMES = """
TokenService TokenVerifier Purpose MintedToken VerifiedToken PeekedToken MintRequest VerificationCache Clock SystemClock
Reason __version__ presets MintkeyError ConfigurationError MissingExtraError UnsupportedOperationError InvalidTokenError
MalformedTokenError SignatureError KeyNotFoundError KeyRevokedError PurposeMismatchError ClaimError ExpiredTokenError
NotYetValidError TokenReplayedError TokenRevokedError InsufficientScopeError BackendError KeyProviderError
ReplayStoreError RemoteKeysError TokenEndpointError
""".split()

OPTIONAL = """
redis sqlalchemy aiosqlite typer rich pydantic pydantic_settings msgspec orjson nacl httpx2 fastapi starlette
prometheus_client opentelemetry hypothesis pytest
""".split()


def modules():
    for found in pkgutil.walk_packages(mintkey.__path__, "mintkey."):
        if found.name != "mintkey.__main__":
            yield found.name


def test_the_root_offers_exactly_what_is_documented():
    assert sorted(mintkey.__all__) == sorted(ROOT_NAMES)


ROOMS = [
    mintkey,
    mintkey.bus,
    mintkey.events,
    mintkey.http,
    mintkey.integrations.bearer,
    mintkey.integrations.cookies,
    mintkey.integrations.fastapi,
    mintkey.integrations.httpx,
    mintkey.integrations.logging,
    mintkey.integrations.opentelemetry,
    mintkey.integrations.prometheus,
    mintkey.integrations.settings,
    mintkey.integrations.starlette,
    mintkey.jose,
    mintkey.keys,
    mintkey.oauth,
    mintkey.refresh,
    mintkey.replay,
    mintkey.testing,
]


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_every_offered_name_exists_and_is_documented(room):
    for name in room.__all__:
        value = getattr(room, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no_such_name"):
        room.no_such_name  # noqa: B018 - the access is the test


def test_importing_the_root_imports_nothing_optional():
    code = f"import sys, mintkey; print([name for name in {OPTIONAL!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", list(modules()))
def test_every_module_says_what_it_is_for_and_lists_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__, name
    if not name.endswith(("_version", "__init__")) and not hasattr(module, "__path__"):
        for offered in getattr(module, "__all__", ()):
            assert hasattr(module, offered), offered


@pytest.mark.parametrize("name", list(modules()))
def test_every_doctest_passes(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", ["Delivered", "EventBus", "Forwarder", "Push"])
def test_events_lead_to_their_bus(name):
    assert getattr(mintkey.events, name) is getattr(mintkey.bus, name)
