"""The directive `command-line`: every command, its arguments and options, from the program itself."""

from collections.abc import Iterator
from typing import Any

import typer.main
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mintkey.cli.app import app as program
from mintkey_site.tables import markdown, section, table

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Load it."""
    app.add_directive("command-line", CommandLine)


class CommandLine(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return [
            section(self, path, markdown(self, _described(command, path)))
            for path, command in _commands(typer.main.get_command(program), "mintkey")
        ]


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def _described(command: Any, path: str) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([path, *(each.metavar for each in arguments), "[OPTIONS]"])
    rows = [[_written(each), each.help] for each in (*arguments, *options)]
    return f"{command.help}\n\n```text\n{usage}\n```\n\n{table(['argument or option', 'what it is for'], rows)}"


def _written(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(f"`{name}{value}`" for name in reversed(parameter.opts))
