"""The outermost command: whatever happens inside, it ends with an exit code and at most one line on stderr."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from mintkey.cli.outcome import ExitCode, outcome_of

__all__ = ["CommandLine"]

_TYPER_REFUSES = 1
"""How typer ends where it does not know the shell. Our 1 says that a token was refused, and is raised."""


class CommandLine(TyperGroup):
    """A group of commands that never ends in a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001 - the signature of the base
        windows_expand_args: bool = True,  # noqa: FBT001 - the signature of the base
        **extra: Any,
    ) -> Any:
        """Run a command, and leave the process with its exit code.

        Args:
            args: The arguments; by default the process's.
            prog_name: The name for help texts.
            complete_var: The environment variable that asks for shell completion.
            standalone_mode: False leaves errors to the caller, and returns.
            windows_expand_args: Whether `*` means files where the shell does not see to it.
            extra: Settings of the context.

        Raises:
            SystemExit: Always, in standalone mode.
        """
        given = sys.argv[1:] if args is None else list(args)
        # Commands say on stderr what went wrong, in one line and once; without this the library would too.
        logging.getLogger("mintkey").addHandler(logging.NullHandler())
        try:
            code = super().main(
                args=given,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Exception as error:
            outcome = outcome_of(error)
            if not standalone_mode or (outcome.is_mistake and sys.flags.dev_mode):
                raise
            outcome.report(as_json="--json" in given)
            sys.exit(outcome.code)
        if not standalone_mode:
            return code
        sys.exit(ExitCode.USAGE if code == _TYPER_REFUSES else code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was chosen; a reader that went away ends it quietly.

        Raises:
            Exit: Nobody reads stdout any more.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The interpreter flushes once more on its way out, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.BROKEN_PIPE) from None
        return result
