"""The outermost command always ends with an exit code and never with a traceback."""

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mintkey import __version__
from mintkey.cli import keys
from mintkey.cli.app import app
from mintkey.errors import ConfigurationError


def fail_with(error: BaseException) -> Callable[..., object]:
    def fail(*arguments: object) -> object:
        raise error

    return fail


def test_the_version(mintkey):
    result = mintkey("--version")

    assert (result.exit_code, result.stdout) == (0, f"mintkey {__version__}\n")


@pytest.mark.parametrize("group", [[], ["keys"], ["token"]])
def test_a_group_without_a_command_shows_its_help_and_is_wrong_usage(mintkey, group):
    result = mintkey(*group)

    assert result.exit_code == 2
    assert "Usage: mintkey" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        *(
            f"keys {name}"
            for name in ("list", "show", "rotate", "revoke", "prune", "export", "rewrap", "copy", "seal-key")
        ),
        *(f"token {name}" for name in ("mint", "verify", "peek", "revoke", "inspect")),
        *("jwks", "doctor", "demo"),
    ],
)
def test_every_command_has_a_help_that_fits_80_columns(mintkey, command):
    result = mintkey(*command.split(), "--help")

    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert ("--ring" in result.stdout) == (command not in {"keys seal-key", "token inspect", "demo"})
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", [[], ["keys"], ["keys", "show"], ["token", "mint"]])
def test_help_has_a_short_name(mintkey, command):
    assert mintkey(*command, "-h").stdout == mintkey(*command, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rotate"], "No such command 'rotate'"),
        (["keys", "lst"], "Did you mean 'list'?"),
        (["keys", "list", "--stor", "x"], "--store"),
        (["keys", "list", "--store"], "--store"),
        (["token", "verify"], "Missing argument 'PURPOSE'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(mintkey, arguments, said):
    result = mintkey(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mintkey: usage: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_wrong_usage_is_json_for_programs(mintkey):
    result = mintkey("keys", "list", "--json", "--nonsense")

    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["reason"] == "usage"


def test_a_token_among_the_arguments_is_never_repeated(mintkey):
    token = mintkey("token", "mint", "magic-link").stdout.strip()

    for arguments in (["token", "verify", token], ["token", "verify", "access", token], ["token", "inspect", token]):
        result = mintkey(*arguments)
        assert result.exit_code == 2
        assert "a token goes to stdin" in result.stderr
        assert token[:20] not in result.stderr


def test_an_interruption_is_130_and_silent(mintkey, monkeypatch):
    monkeypatch.setattr(keys, "with_keys", fail_with(KeyboardInterrupt()))

    result = mintkey("keys", "list")

    assert (result.exit_code, result.output) == (130, "")


def test_a_mistake_of_ours_is_one_line(mintkey, monkeypatch):
    monkeypatch.setattr(keys, "with_keys", fail_with(KeyError("secret")))

    result = mintkey("keys", "list")

    assert result.exit_code == 3
    assert result.stderr.startswith("mintkey: internal: KeyError")
    assert "secret" not in result.stderr


def test_developers_get_the_traceback(mintkey, monkeypatch):
    monkeypatch.setattr(keys, "with_keys", fail_with(KeyError("where")))
    monkeypatch.setattr(sys, "flags", SimpleNamespace(dev_mode=True))

    assert isinstance(mintkey("keys", "list").exception, KeyError)


def test_a_caller_that_wants_the_errors_gets_them(data_home):
    with pytest.raises(ConfigurationError):
        CliRunner().invoke(app, ["keys", "rotate"], standalone_mode=False, catch_exceptions=False)


def test_a_caller_that_wants_the_exit_code_gets_it(data_home):
    assert get_command(app).main(["--version"], "mintkey", standalone_mode=False) == 0
