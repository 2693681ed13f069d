"""Every setting has one meaning, and is shown without what is secret."""

import inspect
from datetime import timedelta

import pytest

from mintkey.keys import RotationPolicy, Sealer
from mintkey.places import place_of
from mintkey.settings.table import (
    ACTIVE_KID,
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    KEYS,
    LIFETIME,
    MAX_CLOCK_SKEW,
    MAX_MINTS,
    PUBLISH_AHEAD,
    ROTATE_EVERY,
    SEAL_KEYS,
    SETTINGS,
    STORE,
)

JWK = '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
PEM = r"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----"  # noqa: E501


def test_the_defaults_are_those_of_the_library():
    policy = RotationPolicy()
    of_library = {name: one.default for name, one in inspect.signature(place_of).parameters.items()} | {
        "rotate_every": policy.every,
        "max_mints": policy.max_mints,
        "previous_ttl": policy.previous_ttl,
        "publish_ahead": policy.publish_ahead,
    }

    assert {name: one.default for name, one in SETTINGS.items() if name in of_library} == {
        name: of_library[name] for name in SETTINGS if name in of_library
    }
    assert len(SETTINGS.keys() & of_library.keys()) == 9


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_every_setting_says_what_it_is_for_and_shows_its_default(setting):
    assert setting.about.endswith((".", "."))
    assert setting.show(setting.default)


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (STORE, " memory:// ", "memory://"),
        (AUDIENCE, " web,, app ", ("web", "app")),
        (LIFETIME, "1h30m", timedelta(minutes=90)),
        (ALGORITHM, " ES256\n", "ES256"),
        (ROTATE_EVERY, "never", None),
        (ROTATE_EVERY, "7d", timedelta(days=7)),
        (MAX_MINTS, " 1000 ", 1000),
        (PUBLISH_AHEAD, "0", timedelta(0)),
        (MAX_CLOCK_SKEW, " 0", timedelta(0)),
        (KEYS, "/run/secrets/keys", "/run/secrets/keys"),
        (KEYS, JWK, JWK),
    ],
)
def test_a_text_means_one_thing(setting, text, value):
    assert setting.read(text) == value


@pytest.mark.parametrize(
    ("setting", "text", "problem"),
    [
        (LIFETIME, "0", "must be a positive duration like 90s"),
        (ROTATE_EVERY, "monthly", "must be a positive duration like 90s"),
        (ALGORITHM, "none", "must be one of EdDSA, "),
        (MAX_MINTS, "0", "must be a whole number from 1"),
        (MAX_MINTS, "9" * 19, "must be a whole number from 1"),
        (MAX_MINTS, "1_000", "must be a whole number from 1"),
        (SEAL_KEYS, "hunter2", r"cannot be used: Sealer.keys\[0\] "),
        (KEYS, "hunter2", "is not a JWK Set, a JWK, a PEM, or a path"),
        (KEYS, "changeme", "still holds a placeholder; it takes a JWK Set"),
    ],
)
def test_what_means_nothing_is_refused_without_being_quoted(setting, text, problem):
    with pytest.raises(ValueError, match=f"^{problem}") as caught:
        setting.read(text)
    assert text not in str(caught.value) or text == "0"
    assert caught.value.__context__ is None or setting in (LIFETIME, ROTATE_EVERY)


def test_seal_keys_have_commas_or_line_breaks_between_them():
    first, second = Sealer.generate_key(), Sealer.generate_key()

    for text in (f"{first},{second}", f"{first}, {second}", f" {first}\n{second}\n", f"{first},\r\n{second}"):
        assert SEAL_KEYS.show(SEAL_KEYS.read(text)) == "set (2 keys)"
    assert SEAL_KEYS.show(first) == "set (1 key)"
    with pytest.raises(ValueError, match=r"Sealer.keys\[1\]"):
        SEAL_KEYS.read(f"{first},")


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        (STORE, "redis://app:hunter2@cache/0", "redis://app:***@cache/0"),
        (STORE, None, "not set"),
        (KEYS, JWK, "set (JSON)"),
        (KEYS, PEM, "set (PEM)"),
        (KEYS, "/run/secrets/keys", "/run/secrets/keys"),
        (ACTIVE_KID, "2026-11", "2026-11"),
        (ISSUER, "", "not set"),
        (AUDIENCE, ("web", "app"), "web, app"),
        (LIFETIME, None, "as the purpose says"),
        (ROTATE_EVERY, None, "never"),
        (MAX_MINTS, 1_000_000, "1,000,000"),
        (PUBLISH_AHEAD, timedelta(minutes=15), "15 min"),
    ],
)
def test_what_people_see(setting, value, shown):
    assert setting.show(value) == shown
