"""Options win over variables, and every mistake is named."""

from datetime import timedelta

import pytest

from mintkey.cli.settings import read_sealer, read_settings, ring_settings
from mintkey.errors import ConfigurationError
from mintkey.keys import RotationPolicy, Sealer

ISSUER = {"MINTKEY_ISSUER": "https://myapp.example"}


def read(environ, **options):
    problems = []
    return read_settings(environ, problems, store=options.pop("store", None), **options), problems


def test_nothing_set_is_nothing_wrong():
    settings, problems = read({})

    assert not problems
    assert (settings.store, settings.issuer, settings.audience, settings.lifetime) == (None, "", (), None)
    assert (settings.policy, settings.sealer) == (RotationPolicy(), None)


def test_variables_are_read():
    settings, problems = read(
        {
            **ISSUER,
            "MINTKEY_STORE": "sqlite:///a.db",
            "MINTKEY_AUDIENCE": "web, app,",
            "MINTKEY_LIFETIME": "5m",
            "MINTKEY_SEAL_KEYS": f"{Sealer.generate_key()}, {Sealer.generate_key()}",
        }
    )

    assert not problems
    assert (settings.store, settings.issuer) == ("sqlite:///a.db", "https://myapp.example")
    assert (settings.audience, settings.lifetime) == (("web", "app"), timedelta(minutes=5))
    assert "2 key(s)" in repr(settings.sealer)


def test_options_win():
    variables = {**ISSUER, "MINTKEY_STORE": "a", "MINTKEY_AUDIENCE": "a", "MINTKEY_LIFETIME": "nonsense"}

    settings, problems = read(variables, store="b", issuer="b", audience=["b", "c"], lifetime="1m")

    assert not problems
    assert (settings.store, settings.issuer, settings.audience) == ("b", "b", ("b", "c"))
    assert settings.lifetime == timedelta(minutes=1)


def test_the_policy_is_that_of_the_application():
    settings, problems = read(
        {
            "MINTKEY_ROTATE_EVERY": "7d",
            "MINTKEY_MAX_MINTS": "1000",
            "MINTKEY_PREVIOUS_TTL": "2d",
            "MINTKEY_PUBLISH_AHEAD": "1h",
        }
    )

    assert not problems
    assert settings.policy == RotationPolicy(
        every=timedelta(days=7),
        max_mints=1000,
        previous_ttl=timedelta(days=2),
        publish_ahead=timedelta(hours=1),
    )


def test_a_ring_may_never_rotate_by_time_and_publish_nothing_ahead():
    settings, problems = read({"MINTKEY_ROTATE_EVERY": "never", "MINTKEY_PUBLISH_AHEAD": "0"})

    assert not problems
    assert (settings.policy.every, settings.policy.publish_ahead) == (None, timedelta(0))


def test_a_fleet_has_the_settings_of_the_application():
    settings, problems = read(
        {
            "MINTKEY_RING": "payments",
            "MINTKEY_ALGORITHM": "ES256",
            "MINTKEY_REFRESH_INTERVAL": "10s",
            "MINTKEY_OUTAGE_TOLERANCE": "1h",
            "MINTKEY_MAX_CLOCK_SKEW": "0",
        }
    )

    assert not problems
    assert (settings.ring, settings.algorithm) == ("payments", "ES256")
    assert (settings.refresh_interval, settings.outage_tolerance) == (timedelta(seconds=10), timedelta(hours=1))
    assert settings.max_clock_skew == timedelta(0)


def test_the_fleets_settings_have_the_defaults_of_the_library():
    settings, _ = read({})

    assert (settings.ring, settings.algorithm) == ("default", "EdDSA")
    assert (settings.refresh_interval, settings.outage_tolerance) == (timedelta(seconds=5), timedelta(minutes=10))
    assert settings.max_clock_skew == timedelta(seconds=5)


def test_it_is_remembered_where_each_setting_came_from():
    settings, _ = read({"MINTKEY_STORE": "a", "MINTKEY_RING": "b", "MINTKEY_MAX_MINTS": "5"}, ring="c", lifetime="1m")

    origins = dict(settings.origins)
    assert (origins["store"], origins["ring"], origins["max_mints"]) == ("MINTKEY_STORE", "--ring", "MINTKEY_MAX_MINTS")
    assert (origins["lifetime"], origins["issuer"], origins["previous_ttl"]) == ("--lifetime", "default", "default")


def test_how_many_seal_keys_there_are():
    keys = ",".join(Sealer.generate_key() for _ in range(2))

    assert read({"MINTKEY_SEAL_KEYS": keys})[0].seal_keys == 2
    assert read({})[0].seal_keys == 0


def test_seal_keys_may_be_in_another_variable():
    key = Sealer.generate_key()

    assert read_sealer({}, "OTHER") is None
    assert "1 key(s)" in repr(read_sealer({"OTHER": key}, "OTHER"))
    with pytest.raises(ConfigurationError, match="OTHER cannot be used") as caught:
        read_sealer({"OTHER": "hunter2"}, "OTHER")
    assert "hunter2" not in repr(caught.value)


def test_a_variable_may_name_the_file_of_a_value(tmp_path):
    for name, text in {
        "store": "sqlite:///a.db\n",
        "seal": f"{Sealer.generate_key()}\n{Sealer.generate_key()}\n",
    }.items():
        (tmp_path / name).write_text(text)

    settings, problems = read(
        {"MINTKEY_STORE_FILE": f"{tmp_path}/store", "MINTKEY_SEAL_KEYS_FILE": f"{tmp_path}/seal"}, lifetime="1m"
    )

    assert not problems
    assert (settings.store, settings.seal_keys) == ("sqlite:///a.db", 2)
    assert (settings.origins["store"], settings.origins["seal_keys"]) == (
        "MINTKEY_STORE_FILE",
        "MINTKEY_SEAL_KEYS_FILE",
    )
    assert "2 key(s)" in repr(read_sealer({"OTHER_FILE": f"{tmp_path}/seal"}, "OTHER"))
    with pytest.raises(ConfigurationError, match="OTHER and OTHER_FILE are both set"):
        read_sealer({"OTHER": "a", "OTHER_FILE": "b"}, "OTHER")


def test_a_command_for_rings_hears_of_every_mistake(data_home, monkeypatch):
    monkeypatch.setenv("MINTKEY_ALGORITHM", "none")
    monkeypatch.setenv("MINTKEY_REFRESH_INTERVAL", "soon")

    with pytest.raises(ConfigurationError, match="MINTKEY_ALGORITHM must be one of EdDSA") as caught:
        ring_settings(store=None, ring="")
    assert "--ring must not be empty" in str(caught.value)
    assert "MINTKEY_REFRESH_INTERVAL must be a positive duration" in str(caught.value)


def test_an_empty_variable_counts_as_not_set():
    names = (
        *("STORE", "ISSUER", "AUDIENCE", "LIFETIME", "SEAL_KEYS", "ROTATE_EVERY", "MAX_MINTS", "PREVIOUS_TTL"),
        *("RING", "ALGORITHM", "REFRESH_INTERVAL", "OUTAGE_TOLERANCE", "MAX_CLOCK_SKEW"),
    )

    assert read({f"MINTKEY_{name}": "" for name in names}) == read({})


def test_every_mistake_is_named_at_once_without_its_value():
    _, problems = read(
        {
            "MINTKEY_LIFETIME": "secret",
            "MINTKEY_SEAL_KEYS": "secret",
            "MINTKEY_ROTATE_EVERY": "secret",
            "MINTKEY_MAX_MINTS": "-1",
            "MINTKEY_PREVIOUS_TTL": "secret",
            "MINTKEY_PUBLISH_AHEAD": "secret",
        },
        needs_issuer=True,
    )

    assert {problem.split()[0] for problem in problems} == {
        "MINTKEY_LIFETIME",
        "MINTKEY_SEAL_KEYS",
        "MINTKEY_ROTATE_EVERY",
        "MINTKEY_MAX_MINTS",
        "MINTKEY_PREVIOUS_TTL",
        "MINTKEY_PUBLISH_AHEAD",
        "the",
    }
    assert problems[-1] == "the issuer is not set: give --issuer or MINTKEY_ISSUER, the iss of your tokens"
    assert "secret" not in " ".join(problems)


def test_empty_options_are_mistakes():
    _, problems = read(ISSUER, store="", issuer="", audience=[""], lifetime="")

    assert [problem.split()[0] for problem in problems] == ["--store", "--issuer", "--audience", "--lifetime"]


def test_an_empty_issuer_is_named_once():
    _, problems = read(ISSUER, issuer="", needs_issuer=True)

    assert len(problems) == 1


def test_the_repr_shows_no_seal_key():
    key = Sealer.generate_key()

    assert key not in repr(read({"MINTKEY_SEAL_KEYS": key})[0])
