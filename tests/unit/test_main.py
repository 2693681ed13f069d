"""The console script: what it says before there is a command line."""

import sys
from importlib import import_module

import pytest

from mintkey import __main__


def without(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "mintkey.cli.app", raising=False)


def exit_code(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mintkey", *arguments])
    with pytest.raises(SystemExit) as left:
        __main__.main()
    return left.value.code


def test_it_runs_the_command_line(monkeypatch, capsys):
    assert exit_code(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("mintkey ")


def test_a_missing_extra_is_named(monkeypatch, capsys):
    without(monkeypatch, "typer")

    assert exit_code(monkeypatch, "--version") == 2
    assert capsys.readouterr().err == ("mintkey: extra_missing: typer is not installed; pip install 'mintkey[cli]'\n")


def test_any_other_missing_module_is_our_mistake(monkeypatch):
    without(monkeypatch, "mintkey.cli.demo.command")

    with pytest.raises(ModuleNotFoundError):
        __main__.main()


def test_an_import_error_without_a_name_is_our_mistake(monkeypatch):
    without(monkeypatch, "mintkey.cli.app")
    monkeypatch.setitem(sys.modules, "mintkey.cli.app", object())

    with pytest.raises(ImportError):
        __main__.main()


def test_an_interruption_while_it_starts_is_130(monkeypatch):
    def interrupt(**_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("mintkey.cli.app"), "app", interrupt)

    assert exit_code(monkeypatch) == 130
