"""Who has no HTTP client can still use what needs none."""

import subprocess
import sys

import pytest

import mintkey.oauth
from mintkey.errors import MissingExtraError

NONE_OF_IT = "import sys; sys.modules['httpx2'] = None; "


def output_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", NONE_OF_IT + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_offered_name_exists() -> None:
    for name in mintkey.oauth.__all__:
        assert getattr(mintkey.oauth, name).__doc__, name
    with pytest.raises(AttributeError, match="no_such_name"):
        mintkey.oauth.no_such_name  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", ["pkce", "state", "revocation", "introspection"])
def test_modules_need_no_http_client(name: str) -> None:
    assert output_of(f"import mintkey.oauth; print(mintkey.oauth.{name}.__name__)") == f"mintkey.oauth.{name}"
    assert output_of(f"from mintkey.oauth import {name}; print({name}.__name__)") == f"mintkey.oauth.{name}"


def test_importing_the_room_imports_no_http_client() -> None:
    code = "import sys, mintkey.oauth, mintkey.oauth.client_credentials; print('httpx2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_with_a_transport_of_ones_own_no_http_client_is_needed() -> None:
    code = """
import asyncio
from mintkey.http.base import HttpResponse
from mintkey.oauth import ClientCredentials

class Own:
    async def send(self, request, /):
        return HttpResponse(status=200, headers={}, body=b'{"access_token": "token", "token_type": "Bearer"}')

    async def aclose(self): ...

client = ClientCredentials("https://login.example/token", "billing", "secret", transport=Own())
print(asyncio.run(client.token()))
"""
    assert output_of(code) == "token"


def test_what_is_missing_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    for name in ("mintkey.oauth.bearer", "mintkey.integrations.httpx"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[http\]'"):
            __import__(name)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[http\]'"):
        mintkey.oauth.ClientCredentials("https://login.example/token", "billing", "secret")
