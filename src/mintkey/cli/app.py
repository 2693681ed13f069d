"""The command `mintkey` and what it is made of."""

from typing import Annotated

import typer

from mintkey._version import __version__
from mintkey.cli.command_line import CommandLine
from mintkey.cli.demo.command import demo
from mintkey.cli.doctor.command import doctor
from mintkey.cli.keys import keys, print_jwks
from mintkey.cli.options import show_help
from mintkey.cli.token import token

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    name="mintkey",
    cls=CommandLine,
    help="Mint, verify, spend and rotate signed tokens. Start with: mintkey demo",
    epilog="Settings: MINTKEY_STORE, MINTKEY_RING, MINTKEY_ISSUER, MINTKEY_AUDIENCE, MINTKEY_LIFETIME; "
    "MINTKEY_SEAL_KEYS (with commas: the first seals, all open) seals private keys; MINTKEY_ALGORITHM, "
    "MINTKEY_ROTATE_EVERY, MINTKEY_MAX_MINTS, MINTKEY_PREVIOUS_TTL, MINTKEY_PUBLISH_AHEAD, MINTKEY_REFRESH_INTERVAL, "
    "MINTKEY_OUTAGE_TOLERANCE and MINTKEY_MAX_CLOCK_SKEW must be those of the application; `mintkey doctor` shows "
    "what is in force. Exit codes: 0 done, 1 token refused, 2 usage or configuration, 3 backend.",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
app.add_typer(keys, name="keys")
app.add_typer(token, name="token")
app.command("jwks")(print_jwks)
app.command()(doctor)
app.command()(demo)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a callback
    if wanted:
        typer.echo(f"mintkey {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - the callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    show_help(context)
