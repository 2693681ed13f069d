"""The guide to settings: its commands run, its variables are those of the table, its files are read."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types
from pydantic import SecretStr

from mintkey import ConfigurationError, Purpose, TokenService
from mintkey.integrations.settings import MintkeySettings
from mintkey.keys import Sealer
from mintkey.places import kind_of
from mintkey.settings.table import SETTINGS, variable_of
from tests.docs.page import Page
from tests.support.servers import RedisServer

PAGE = Page("how-to/settings")
PURPOSE = Purpose("login", lifetime=timedelta(minutes=5), single_use=True)
MARK = "=====END====="


@pytest.fixture(scope="module")
def guide() -> SimpleNamespace:
    return SimpleNamespace(**PAGE.names())


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """An environment without a setting, in an empty directory."""
    for name in os.environ:
        if name.startswith("MINTKEY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch.setenv


def openssl() -> None:
    if shutil.which("openssl") is None:
        reason = "openssl is not on PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def test_the_commands_do_what_the_page_says(valkey: RedisServer, tmp_path: Path) -> None:
    openssl()
    printed = PAGE.shell(tmp_path, after_each=f"echo {MARK}\n", STORE=valkey.url)
    shown, wrong, own, _ = printed.split(f"{MARK}\n")
    assert "all is well" in shown
    assert "seal_keys         set (1 key)  [MINTKEY_SEAL_KEYS_FILE]" in shown
    assert (tmp_path / "seal.key").stat().st_mode & 0o077 == 0
    assert wrong.strip() == PAGE.blocks("text")[0].strip()
    assert "all is well" in own
    assert re.search(r"keys +\S+/token\.pem  \[MINTKEY_KEYS\]", own)


def test_a_service_is_made_from_the_environment(guide: SimpleNamespace, environ: Callable[[str, str], None]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        guide.service()
    assert "MINTKEY_ISSUER is not set" in str(caught.value)
    assert "neither MINTKEY_STORE nor MINTKEY_KEYS" in str(caught.value)
    environ("MINTKEY_ISSUER", "https://myapp.example")
    environ("MINTKEY_STORE", "memory://")
    assert isinstance(guide.service(), TokenService)


# All settings


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = [
        row for row in PAGE.rows("All settings") if row[0].startswith("`MINTKEY_") and row[1] != "keys and marks are"
    ]
    listed = {row[0].strip("`"): row[1] for row in rows}
    assert listed == {variable_of(name): setting.show(setting.default) for name, setting in SETTINGS.items()}
    assert list(listed) == [variable_of(name) for name in SETTINGS]


def test_every_url_names_a_place() -> None:
    urls = [
        url.strip(" `")
        for row in PAGE.rows("All settings")
        for url in row[0].split(",  " if "+" in row[0] else ", ")
        if "://" in url
    ]
    kinds = [kind_of(url) for url in urls if "…" not in url]
    assert kinds == ["memory", "file", "sql", "sql", "redis", "redis", "redis", "redis"]


# Secrets in files


def test_the_composition_is_complete(environ: Callable[[str, str], None], tmp_path: Path) -> None:
    (block,) = PAGE.blocks("yaml")
    composition = yaml.safe_load(block)
    app, secrets = composition["services"]["app"], composition["secrets"]
    assert set(app["secrets"]) == set(secrets)
    for name in secrets:
        (tmp_path / name).write_text(f"{Sealer.generate_key()}\n", encoding="utf-8")
    assert app["environment"]["MINTKEY_STORE"].partition("//")[2].startswith("cache:")
    for name, value in app["environment"].items():
        assert isinstance(value, str)
        assert "/run/secrets/" not in value or value.removeprefix("/run/secrets/") in secrets
        environ(name, value.replace("/run/secrets", str(tmp_path)))
    settings = MintkeySettings()
    assert settings.seal_keys is not None
    assert settings.policy.max_mints == 1_000_000
    settings.token_service()


def test_a_dotenv_file_and_a_directory_of_secrets(
    guide: SimpleNamespace, environ: Callable[[str, str], None], tmp_path: Path
) -> None:
    (block,) = PAGE.blocks("ini")
    (tmp_path / ".env").write_text(block, encoding="utf-8")
    directory = tmp_path / "secrets"
    directory.mkdir()
    (directory / "mintkey_max_mints").write_text("7\n", encoding="utf-8")
    (directory / "mintkey_issuer").write_text("https://unheard.example\n", encoding="utf-8")
    environ("MINTKEY_RING", "payments")
    settings = guide.mounted(str(directory))
    assert settings.issuer == "http://localhost:8000"
    assert settings.support_address == "help@myapp.example"
    assert (settings.max_mints, settings.ring) == (7, "payments")
    assert guide.Settings(ring="said").ring == "said"
    with pytest.raises(ValueError, match="frozen"):
        settings.ring = "other"


# What goes with the service


async def test_two_services_share_keys_and_marks(
    guide: SimpleNamespace, environ: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    environ("MINTKEY_SEAL_KEYS", secret := Sealer.generate_key())
    settings = MintkeySettings(issuer="https://myapp.example", store=SecretStr("memory://"))
    with caplog.at_level(logging.DEBUG):
        ours, theirs = guide.two_issuers(settings)
        async with ours, theirs:
            token = await ours.mint(PURPOSE, subject="20")
            assert (await theirs.jwks()).etag == (await ours.jwks()).etag
            await ours.verify(token, PURPOSE)
    assert "https://myapp.example" in caplog.text
    assert "spent purpose=login" in caplog.text
    assert secret not in caplog.text


def test_a_ring_beside_keys_of_ones_own_is_refused(environ: Callable[[str, str], None]) -> None:
    environ("MINTKEY_KEYS", "/nowhere")
    environ("MINTKEY_ROTATE_EVERY", "7d")
    with pytest.raises(ConfigurationError, match="MINTKEY_ROTATE_EVERY has no effect beside MINTKEY_KEYS"):
        MintkeySettings(issuer="https://myapp.example")


def test_the_page_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 200
