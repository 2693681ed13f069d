"""What the shell offers at TAB: commands, options, presets and kids. It makes nothing and complains about nothing."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from mintkey.cli import completion
from mintkey.cli.app import app
from mintkey.keys import KeyState, KeyVersion


def at_tab(line):
    """What bash is offered at the end of a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    result = CliRunner().invoke(app, [], env={"_MINTKEY_COMPLETE": "complete_bash", **words})
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout.split()


def kids(answer, *where):
    return {version["kid"] for version in answer("keys", "list", *where)["keys"]}


def test_commands_and_options(data_home):
    assert at_tab("mintkey ke") == ["keys"]
    assert at_tab("mintkey keys r") == ["revoke", "rotate", "rewrap"]
    assert {"--store", "--ring", "--json"} <= set(at_tab("mintkey keys list --"))


@pytest.mark.parametrize("command", ["mint", "verify", "peek", "revoke", "inspect"])
def test_presets_at_the_place_of_a_purpose(data_home, command):
    assert at_tab(f"mintkey token {command} p") == ["password-reset", "payment-approval"]


def test_each_preset_says_what_it_is(data_home):
    asked = {"_MINTKEY_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "mintkey token mint "}

    offered = CliRunner().invoke(app, [], env=asked).stdout

    assert '"magic-link":"single use, lives 10 min"' in offered
    assert '"access":"lives 10 min"' in offered


@pytest.mark.parametrize("command", ["show", "revoke", "revoke --yes", "export --pem"])
def test_kids_at_the_place_of_a_kid(answer, command):
    for _ in range(3):
        answer("keys", "rotate", "--yes")
    known = kids(answer)
    one = max(known)  # in this order those that begin like an option come first, and all five never do

    assert set(at_tab(f"mintkey keys {command} ")) == known
    assert at_tab(f"mintkey keys {command} {one[:8]}") == [one]


@pytest.mark.parametrize("line", ["show -e6i", "revoke --yes -e", "show --json -e6iVSuscZ1"])
def test_kids_that_begin_like_an_option(data_home, monkeypatch, line):
    version = KeyVersion(
        kid="-e6iVSuscZ1-cZ5RgCT-27VlurInc2iir7lNoK6uyKE",
        algorithm="EdDSA",
        state=KeyState.ACTIVE,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        activates_at=None,
        retires_at=None,
        verify_until=None,
        mints=0,
        public_jwk=None,
    )
    monkeypatch.setattr(completion, "_versions", lambda store, ring: [version])

    assert at_tab(f"mintkey keys {line}") == [version.kid]
    assert at_tab("mintkey keys show --j") == ["--json"]


def test_kids_are_those_of_the_store_and_the_ring_on_the_line(any_store, answer, monkeypatch):
    here, there = kids(answer), kids(answer, "--ring", "another")
    monkeypatch.delenv("MINTKEY_STORE")

    assert set(at_tab(f"mintkey keys show --store {any_store} ")) == here
    assert set(at_tab(f"mintkey keys show --ring another --store {any_store} ")) == there
    assert at_tab(f"mintkey keys show --ring none --store {any_store} ") == []


def test_where_there_is_no_store_none_is_made(data_home, tmp_path):
    assert at_tab("mintkey keys show ") == []
    assert at_tab(f"mintkey keys show --store sqlite:///{tmp_path}/new.db ") == []
    assert not data_home.exists()
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    "store", ["nonsense", "redis://localhost", "sqlite:///{}/not-there/own.db", "file://{}/not-there"]
)
def test_a_store_that_cannot_be_looked_at_offers_nothing(data_home, tmp_path, store):
    assert at_tab(f"mintkey keys show --store {store.format(tmp_path)} ") == []


def test_wrong_settings_are_no_matter_for_the_middle_of_a_line(answer, monkeypatch):
    kids(answer)
    monkeypatch.setenv("MINTKEY_MAX_MINTS", "many")

    assert at_tab("mintkey keys show ") == []


def test_nobody_waits_long_for_a_store(answer, monkeypatch):
    kids(answer)
    monkeypatch.setattr(completion, "_PATIENCE", 0)

    assert at_tab("mintkey keys show ") == []


def test_a_shell_that_typer_does_not_know_is_wrong_usage(mintkey, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("tcsh", "/bin/tcsh"))

    for option in ("--install-completion", "--show-completion"):
        assert mintkey(option).exit_code == 2


def test_the_script_for_a_shell(mintkey, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))

    shown = mintkey("--show-completion")

    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "complete -o default -F _mintkey_completion mintkey" in shown.stdout


def test_it_is_installed_for_a_shell(mintkey, tmp_path, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))

    assert mintkey("--install-completion").exit_code == 0

    assert ".bash_completions/mintkey.sh" in (tmp_path / ".bashrc").read_text()
