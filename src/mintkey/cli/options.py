"""The options that commands share."""

from typing import Annotated

import typer

from mintkey.cli.completion import complete_kid, complete_purpose

__all__ = [
    "AudienceOption",
    "IssuerOption",
    "JsonOption",
    "KidArgument",
    "LifetimeOption",
    "PurposeArgument",
    "RevocableOption",
    "RingOption",
    "ScopeOption",
    "SingleUseOption",
    "StoreOption",
    "TypOption",
    "YesOption",
    "show_help",
]

# Variables are read by `settings`, which names all mistakes at once; the parser would stop at the first.

PurposeArgument = Annotated[
    str,
    typer.Argument(
        metavar="PURPOSE",
        help="magic-link, email-verify, password-reset, payment-approval, access, refresh, service, or a name of your "
        "own.",
        show_default=False,
        autocompletion=complete_purpose,
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where keys and marks are: sqlite:///file.db, file:///directory, postgresql://…, redis://…, "
        "redis+cluster://… or redis+sentinel://…. [MINTKEY_STORE; default: a file in your data directory]",
        show_default=False,
    ),
]
RingOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The key ring in the store. [MINTKEY_RING; if not set: default]", show_default=False
    ),
]
KidArgument = Annotated[
    str,
    typer.Argument(
        metavar="KID",
        help="The key id, or how it begins: at least 6 characters that no other version begins with.",
        show_default=False,
        autocompletion=complete_kid,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; --json never does.")]
IssuerOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The iss of your tokens. [MINTKEY_ISSUER]", show_default=False)
]
AudienceOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="The aud; may be repeated. [MINTKEY_AUDIENCE, with commas]", show_default=False),
]
LifetimeOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="As in 90s, 10m, 1h30m, 7d. [MINTKEY_LIFETIME]", show_default=False),
]
ScopeOption = Annotated[
    list[str] | None, typer.Option(metavar="WORD", help="A scope; may be repeated.", show_default=False)
]
SingleUseOption = Annotated[bool, typer.Option("--single-use", help="A purpose of your own: verifying spends.")]
RevocableOption = Annotated[bool, typer.Option("--revocable", help="A purpose of your own: tokens can be revoked.")]
TypOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="A purpose of your own: the typ, else PURPOSE+jwt.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One line of JSON, for programs; errors too.")]


def show_help(context: typer.Context) -> None:
    """Show the help of a group that was called without a command.

    Raises:
        Exit: There was none; that is wrong usage.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
