"""A service from the environment: every source, every mistake at once, and nothing secret anywhere."""

import base64
import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mintkey import ConfigurationError, MissingExtraError, Purpose, TokenReplayedError, TokenService
from mintkey.cli.settings import read_settings
from mintkey.integrations.settings import MintkeySettings
from mintkey.jose.jwk import generate
from mintkey.keys import EnvKeyProvider, RotationPolicy, Sealer
from mintkey.replay import MemoryReplayStore, SQLReplayStore
from mintkey.settings.table import SETTINGS
from mintkey.testing import FakeClock

ISSUER = "https://myapp.example"
LINK = Purpose("link", lifetime=timedelta(minutes=1), single_use=True)
SESSION = Purpose("session", lifetime=timedelta(minutes=1))


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables; nothing else is set."""
    for name in [name for name in os.environ if name.upper().startswith(("MINTKEY_", "BILLING_"))]:
        monkeypatch.delenv(name)

    def environ(prefix: str = "MINTKEY_", **values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"{prefix}{name}", value)

    return environ


@pytest.fixture
def minimal(environ):
    environ(ISSUER=ISSUER, STORE="memory://")


def problems_of(made=MintkeySettings, /, **values):
    with pytest.raises(ConfigurationError) as caught:
        made(**values)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # pydantic's error remembers what it refused
    return list(caught.value.details["problems"])


def private_jwks(*keys):
    return json.dumps({"keys": [dict(key.private_jwk) for key in keys]})


def a_pem() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def test_what_is_not_set_has_the_defaults_of_the_library(minimal):
    settings = MintkeySettings()

    for name, setting in SETTINGS.items():
        if name not in {"issuer", "store"}:
            assert getattr(settings, name) == setting.default, name
    assert settings.policy == RotationPolicy()
    assert settings.sealer is None
    assert MintkeySettings.model_fields.keys() == SETTINGS.keys()


def test_every_variable_is_read(environ):
    first, second = Sealer.generate_key(), Sealer.generate_key()
    environ(
        STORE="redis://app:hunter2@cache/0",
        RING="payments",
        SEAL_KEYS=f"{first}, {second}",
        ISSUER=ISSUER,
        AUDIENCE="web, app",
        LIFETIME="5m",
        ALGORITHM="ES256",
        ROTATE_EVERY="never",
        MAX_MINTS="1000000",
        PREVIOUS_TTL="2d",
        PUBLISH_AHEAD="0",
        REFRESH_INTERVAL="10s",
        OUTAGE_TOLERANCE="1h",
        MAX_CLOCK_SKEW="0",
    )

    settings = MintkeySettings()

    assert settings.store == SecretStr("redis://app:hunter2@cache/0")
    assert (settings.ring, settings.issuer, settings.audience) == ("payments", ISSUER, ("web", "app"))
    assert (settings.lifetime, settings.algorithm) == (timedelta(minutes=5), "ES256")
    assert settings.policy == RotationPolicy(
        every=None, max_mints=1_000_000, previous_ttl=timedelta(days=2), publish_ahead=timedelta(0)
    )
    assert (settings.refresh_interval, settings.max_clock_skew) == (timedelta(seconds=10), timedelta(0))
    assert settings.outage_tolerance == timedelta(hours=1)
    assert repr(settings.sealer) == "<Sealer with 2 key(s)>"


def test_the_command_line_understands_the_same(environ):
    environ(
        STORE="sqlite:///tokens.db",
        SEAL_KEYS=Sealer.generate_key(),
        ISSUER=ISSUER,
        AUDIENCE="web,app",
        LIFETIME="90s",
        ALGORITHM="ES384",
        ROTATE_EVERY="1d12h",
        PUBLISH_AHEAD="1h",
        MAX_CLOCK_SKEW="0",
    )
    problems: list[str] = []

    ours, theirs = MintkeySettings(), read_settings(os.environ, problems, store=None)

    assert problems == []
    assert ours.policy == theirs.policy
    for name in SETTINGS.keys() - {"store", "seal_keys", "keys", "active_kid"}:
        if hasattr(theirs, name):
            assert getattr(ours, name) == getattr(theirs, name), name


def test_an_empty_variable_counts_as_not_set(minimal, environ):
    environ(MAX_MINTS="", KEYS=" ", SEAL_KEYS="", LIFETIME="")

    assert MintkeySettings().effective() == MintkeySettings(max_mints=None).effective()


@pytest.mark.parametrize("name", ["seal_keys", "store", "max_mints"])
def test_a_variable_may_name_the_file_of_a_value(environ, tmp_path, name):
    values = {"store": "redis://:hunter2@cache", "seal_keys": Sealer.generate_key(), "max_mints": "7", "issuer": ISSUER}
    (tmp_path / "secret").write_text(f"{values[name]}\n")
    environ(**{key.upper(): value for key, value in values.items() if key != name})
    environ(**{f"{name.upper()}_FILE": str(tmp_path / "secret")})

    settings = MintkeySettings()

    assert settings.seal_keys == SecretStr(values["seal_keys"])
    assert settings.store == SecretStr(values["store"])
    assert settings.max_mints == 7


def test_mounted_secrets(environ, tmp_path):
    key = Sealer.generate_key()
    for name, text in {"mintkey_seal_keys": f"{key}\n", "MINTKEY_AUDIENCE": "web,app", "mintkey_max_mints": ""}.items():
        (tmp_path / name).write_text(text)
    environ(ISSUER=ISSUER, STORE="redis://cache", AUDIENCE="web")

    class Mounted(MintkeySettings):
        model_config = SettingsConfigDict(secrets_dir=tmp_path)

    assert Mounted().seal_keys == SecretStr(key)
    assert Mounted().audience == ("web",)
    assert MintkeySettings(_secrets_dir=tmp_path).seal_keys == SecretStr(key)


def test_a_dotenv_file(environ, tmp_path, monkeypatch):
    (tmp_path / "issuer").write_text(ISSUER)
    (tmp_path / ".env").write_text(
        'MINTKEY_STORE="memory://"\nMINTKEY_RING=dotenv\nMINTKEY_ISSUER_FILE=issuer\n'
        "MINTKEY_AUDIENCE=web,app\nSOMETHING_ELSE=1\n"
    )
    monkeypatch.chdir(tmp_path)
    environ(RING="variable")

    class Development(MintkeySettings):
        model_config = SettingsConfigDict(env_file=".env")

    settings = Development()

    assert (settings.issuer, settings.ring, settings.audience) == (ISSUER, "variable", ("web", "app"))
    assert MintkeySettings(_env_file=".env").issuer == ISSUER


def test_a_variable_wins_over_a_file_that_a_dotenv_file_names(environ, tmp_path):
    (tmp_path / ".env").write_text("MINTKEY_ISSUER_FILE=/nowhere\nMINTKEY_STORE=memory://\n")
    environ(ISSUER=ISSUER)

    assert MintkeySettings(_env_file=tmp_path / ".env").issuer == ISSUER


def test_what_the_code_says_wins(environ):
    environ(ISSUER="https://other.example", STORE="nonsense", MAX_MINTS="nonsense", RING_FILE="/nowhere")

    settings = MintkeySettings(
        issuer=ISSUER, store=SecretStr("memory://"), max_mints=5, ring="code", rotate_every=timedelta(days=1)
    )

    assert (settings.issuer, settings.max_mints, settings.ring) == (ISSUER, 5, "code")
    assert settings.rotate_every == timedelta(days=1)
    assert MintkeySettings(issuer=ISSUER, store="memory://", max_mints="6", ring="code").max_mints == 6


def test_a_prefix_and_settings_of_somebody_else(environ):
    class Billing(MintkeySettings):
        model_config = SettingsConfigDict(env_prefix="BILLING_")
        issuer: str
        currencies: tuple[str, ...] = ("EUR",)

    environ("BILLING_", STORE="memory://", CURRENCIES='["CHF"]')
    environ(ISSUER=ISSUER)

    assert problems_of(Billing, ring="a ring") == [
        "BILLING_ISSUER: Field required",
        "BILLING_RING must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -",
    ]
    assert Billing(issuer=ISSUER).currencies == ("CHF",)


def test_all_problems_at_once_without_a_value(environ, tmp_path):
    environ(
        STORE="redis://app:hunter2@h",
        ISSUER_FILE=str(tmp_path / "missing"),
        SEAL_KEYS="hunter2",
        LIFETIME="hunter2",
        MAX_MINTS="hunter2",
        RING="hunter 2",
        ACTIVE_KID="hunter2",
        PUBLISH_AHEAD="6s",
    )

    found = problems_of()

    assert sorted(problem.split()[0] for problem in found) == [
        "MINTKEY_ACTIVE_KID",
        "MINTKEY_ISSUER_FILE",
        "MINTKEY_LIFETIME",
        "MINTKEY_MAX_MINTS",
        "MINTKEY_PUBLISH_AHEAD",
        "MINTKEY_RING",
        "MINTKEY_SEAL_KEYS",
    ]
    assert "hunter" not in "; ".join(found)


def test_what_pydantic_refuses_is_among_them(environ):
    environ(LIFETIME="hunter2")

    found = problems_of(store="memory://", max_mints=["hunter2"], outage_tolerance=timedelta(seconds=1))

    assert found == [
        "MINTKEY_LIFETIME must be a positive duration like 90s, 10m, 1h30m or 7d",
        "MINTKEY_MAX_MINTS: Input should be a valid integer",
        "MINTKEY_ISSUER is not set: it is the iss of your tokens",
    ]


def test_what_a_validator_of_somebody_else_refuses_is_among_them(minimal, environ):
    class Picky(MintkeySettings):
        @field_validator("ring")
        @classmethod
        def _refuse(cls, _ring):
            raise ValueError("never good enough")

    environ(RING="hunter2", ACTIVE_KID="a")

    assert problems_of(Picky) == [
        "MINTKEY_RING: Value error, never good enough",
        "MINTKEY_ACTIVE_KID has no effect without MINTKEY_KEYS",
    ]


def test_nothing_set_says_what_to_set(environ):
    assert problems_of() == [
        "MINTKEY_ISSUER is not set: it is the iss of your tokens",
        "neither MINTKEY_STORE nor MINTKEY_KEYS is set: one of them says where the keys are",
    ]


def test_nothing_secret_is_shown(environ):
    key, jwks = Sealer.generate_key(), private_jwks(generate("EdDSA"))
    environ(ISSUER=ISSUER, STORE="redis://app:hunter2@cache/0", SEAL_KEYS=key)
    sealed = MintkeySettings()
    fixed = MintkeySettings(issuer=ISSUER, store="memory://", keys=jwks, seal_keys="")

    for settings in (sealed, fixed):
        dumped = f"{settings.model_dump()} {settings.model_dump_json()} {settings.effective()}"
        shown = f"{settings!r} {settings} {dumped}"
        assert "hunter2" not in shown
        assert key not in shown
        assert json.loads(jwks)["keys"][0]["d"] not in shown


def test_the_effective_settings(environ):
    environ(ISSUER=ISSUER, STORE="redis://app:hunter2@cache/0", SEAL_KEYS=Sealer.generate_key(), ROTATE_EVERY="never")

    assert MintkeySettings().effective() == {
        "store": "redis://app:***@cache/0",
        "ring": "default",
        "seal_keys": "set (1 key)",
        "keys": "not set",
        "active_kid": "not set",
        "issuer": ISSUER,
        "audience": "not set",
        "lifetime": "as the purpose says",
        "algorithm": "EdDSA",
        "rotate_every": "never",
        "max_mints": "no limit",
        "previous_ttl": "1 d",
        "publish_ahead": "15 min",
        "refresh_interval": "5 s",
        "outage_tolerance": "10 min",
        "max_clock_skew": "5 s",
    }


def test_settings_do_not_change(minimal):
    settings = MintkeySettings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.issuer = "https://evil.example"
    assert MintkeySettings.model_validate(settings) is settings
    assert settings.model_copy() == settings


def test_a_misspelt_variable_is_warned_of(minimal, environ, caplog):
    environ(ROTATE_EVRY="7d")

    with caplog.at_level(logging.WARNING, logger="mintkey.settings"):
        MintkeySettings()

    assert caplog.messages == ["MINTKEY_ROTATE_EVRY is no setting and has no effect: is MINTKEY_ROTATE_EVERY meant?"]


async def test_a_service_on_a_ring(environ, tmp_path):
    environ(
        ISSUER=ISSUER,
        STORE=f"sqlite:///{tmp_path}/tokens.db",
        SEAL_KEYS=Sealer.generate_key(),
        ALGORITHM="ES256",
        PREVIOUS_TTL="1h",
        RING="payments",
    )
    clock = FakeClock()

    async with MintkeySettings().token_service(clock=clock) as tokens:
        token = await tokens.mint(LINK, subject="20")
        used = await tokens.verify(token, LINK)
        assert (used.issuer, used.subject) == (ISSUER, "20")
        with pytest.raises(TokenReplayedError):
            await tokens.verify(token, LINK)
        (key, _) = (await tokens.jwks()).as_dict()["keys"]
        assert key["alg"] == "ES256"
        assert tokens.workings.keys.max_token_age == timedelta(hours=1)
        assert isinstance(tokens.workings.replay, SQLReplayStore)


def in_a_file(text, tmp_path):
    (tmp_path / "key.pem").write_text(text)
    return f"{tmp_path}/key.pem"


def in_a_directory(text, tmp_path):
    in_a_file(text, tmp_path)
    return str(tmp_path)


FORMS: dict[str, Callable[[str, Path], str]] = {
    "PEM": lambda pem, _: pem,
    "escaped": lambda pem, _: pem.replace("\n", "\\n"),
    "base64": lambda pem, _: base64.b64encode(pem.encode()).decode(),
    "file": in_a_file,
    "directory": in_a_directory,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
async def test_a_service_on_a_pem(environ, tmp_path, form):
    environ(ISSUER=ISSUER, KEYS=form(a_pem(), tmp_path))

    async with MintkeySettings().token_service() as tokens:
        assert (await tokens.verify(await tokens.mint(SESSION), SESSION)).issuer == ISSUER
        with pytest.raises(ConfigurationError):
            await tokens.verify(await tokens.mint(LINK), LINK)


async def test_a_service_on_a_jwk_set_with_marks_in_a_store(environ):
    first, second = generate("EdDSA"), generate("ES256")
    environ(ISSUER=ISSUER, KEYS=private_jwks(first, second), ACTIVE_KID=second.kid, STORE="memory://")
    settings = MintkeySettings()

    keys, replay = settings.backends()
    async with TokenService(issuer=settings.issuer, keys=keys, replay=replay) as tokens:
        token = await tokens.mint(LINK)
        assert (await tokens.verify(token, LINK)).key_id == second.kid
        with pytest.raises(TokenReplayedError):
            await tokens.verify(token, LINK)
    assert isinstance(keys, EnvKeyProvider)
    assert isinstance(replay, MemoryReplayStore)


async def test_an_algorithm_for_keys_that_do_not_name_one(environ):
    jwk = {name: value for name, value in generate("RS256", rsa_bits=2048).private_jwk.items() if name != "alg"}
    environ(ISSUER=ISSUER, KEYS=json.dumps(jwk))

    for algorithm, expected in ((None, "RS256"), ("PS512", "PS512")):
        if algorithm is not None:
            environ(ALGORITHM=algorithm)
        keys, _ = MintkeySettings().backends()
        assert (await keys.acquire()).key.algorithm == expected


def test_it_must_be_clear_which_key_signs(environ):
    environ(ISSUER=ISSUER, KEYS=private_jwks(generate("EdDSA"), generate("EdDSA")), MAX_MINTS="5")

    found = problems_of()

    assert found[0].startswith("MINTKEY_MAX_MINTS has no effect beside MINTKEY_KEYS")
    assert "MINTKEY_ACTIVE_KID" in found[1]


def test_the_prefix_of_somebody_else_is_that_of_his_keys(environ):
    environ("BILLING_", ISSUER=ISSUER, KEYS=private_jwks(generate("EdDSA")), ACTIVE_KID="other")

    class Billing(MintkeySettings):
        model_config = SettingsConfigDict(env_prefix="billing_")

    (found,) = problems_of(Billing)
    assert "BILLING_ACTIVE_KID" in found


def test_sources_that_know_no_variables_say_nothing(minimal):
    class Bare(MintkeySettings):
        @classmethod
        def settings_customise_sources(cls, settings_cls, **sources):
            return super().settings_customise_sources(
                settings_cls, **sources | {"env_settings": sources["file_secret_settings"]}
            )

    assert len(problems_of(Bare)) == 2


def test_it_is_one_setting_of_a_larger_whole(minimal):
    class Application(BaseSettings):
        tokens: MintkeySettings

    assert Application(tokens=MintkeySettings()).tokens.issuer == ISSUER
    assert Application(tokens={"ring": "payments"}).tokens.ring == "payments"
    assert problems_of(Application, tokens={"ring": "a ring"})[0].startswith("MINTKEY_RING must be")


@pytest.mark.parametrize("missing", ["pydantic_settings", "pydantic"])
def test_without_the_extra_it_is_named(monkeypatch, missing):
    for name in ("mintkey.integrations.settings", "mintkey.integrations.settings_reading"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[settings\]'"):
        __import__("mintkey.integrations.settings")
