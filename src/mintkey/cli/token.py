"""`mintkey token`: mint, verify, peek, revoke and inspect. A token is read from stdin and nowhere else."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mintkey.cli.claims import read_claims
from mintkey.cli.completion import complete_purpose
from mintkey.cli.inspection import inspect
from mintkey.cli.minting import mint_all
from mintkey.cli.options import (
    AudienceOption,
    IssuerOption,
    JsonOption,
    LifetimeOption,
    PurposeArgument,
    RevocableOption,
    RingOption,
    ScopeOption,
    SingleUseOption,
    StoreOption,
    TypOption,
    show_help,
)
from mintkey.cli.progress import progress
from mintkey.cli.purposes import PurposeArguments, purpose_of
from mintkey.cli.render import show_done
from mintkey.cli.settings import Settings, read_settings
from mintkey.cli.shapes import inspected_as_json, minted_as_json, print_json, seen_as_json
from mintkey.cli.stdin import read_token
from mintkey.cli.store import with_service
from mintkey.cli.token_view import show_inspected, show_seen
from mintkey.errors import ConfigurationError
from mintkey.purpose import Purpose
from mintkey.service import TokenService
from mintkey.tokens import MintedToken, MintRequest, PeekedToken, VerifiedToken

__all__ = ["token"]

token: typer.Typer = typer.Typer(help="Mint, verify, peek at, revoke and inspect tokens.", invoke_without_command=True)
token.callback()(show_help)


@token.command()
def mint(
    purpose: PurposeArgument,
    *,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="The sub.", show_default=False)] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="A private claim; may be repeated.", show_default=False),
    ] = None,
    scope: ScopeOption = None,
    audience: AudienceOption = None,
    lifetime: LifetimeOption = None,
    count: Annotated[
        int, typer.Option(metavar="N", min=1, help="So many, each with an id of its own, one a line.")
    ] = 1,
    single_use: SingleUseOption = False,
    revocable: RevocableOption = False,
    typ: TypOption = None,
    store: StoreOption = None,
    ring: RingOption = None,
    issuer: IssuerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mint a token. It alone goes to stdout, so it can be piped.

    With --count there are many. They are written as they come: if minting ends
    early, those that are there are good.
    """
    problems: list[str] = []
    said = PurposeArguments(name=purpose, single_use=single_use, revocable=revocable, typ=typ)
    settings = read_settings(
        os.environ,
        problems,
        store=store,
        ring=ring,
        issuer=issuer,
        audience=audience,
        lifetime=lifetime,
        needs_issuer=True,
    )
    meant = purpose_of(said, problems, audience=settings.audience, lifetime=settings.lifetime, is_minting=True)
    claims = read_claims(claim or (), problems)
    ConfigurationError.raise_if(problems)

    request = MintRequest(subject=subject, claims=claims, scopes=scope or (), lifetime=settings.lifetime)
    # Tokens that run over the terminal show by themselves how far it is.
    with progress("minting", is_wanted=not (count == 1 or as_json or sys.stdout.isatty())) as tell:

        async def work(service: TokenService) -> None:
            emit = _print_as_json if as_json else _print
            await mint_all(service, meant, request, count, emit=emit, progress=tell)

        with_service(settings, work)


@token.command()
def verify(
    purpose: PurposeArgument,
    *,
    scope: ScopeOption = None,
    audience: AudienceOption = None,
    lifetime: LifetimeOption = None,
    single_use: SingleUseOption = False,
    revocable: RevocableOption = False,
    typ: TypOption = None,
    store: StoreOption = None,
    ring: RingOption = None,
    issuer: IssuerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the token on stdin; one for single use is spent by that."""
    said = PurposeArguments(name=purpose, single_use=single_use, revocable=revocable, typ=typ)
    settings, meant = _prepare(said, store=store, ring=ring, issuer=issuer, audience=audience, lifetime=lifetime)
    text = read_token()

    async def work(service: TokenService) -> VerifiedToken[dict[str, Any]]:
        return await service.verify(text, meant, scopes=scope or ())

    seen = with_service(settings, work)
    if as_json:
        print_json({**seen_as_json(seen), "spent": meant.single_use})
    else:
        show_seen(seen, "verified and spent: it is good for nothing any more" if meant.single_use else "verified")


@token.command()
def peek(
    purpose: PurposeArgument,
    *,
    scope: ScopeOption = None,
    audience: AudienceOption = None,
    lifetime: LifetimeOption = None,
    single_use: SingleUseOption = False,
    revocable: RevocableOption = False,
    typ: TypOption = None,
    store: StoreOption = None,
    ring: RingOption = None,
    issuer: IssuerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the token on stdin and spend nothing."""
    said = PurposeArguments(name=purpose, single_use=single_use, revocable=revocable, typ=typ)
    settings, meant = _prepare(said, store=store, ring=ring, issuer=issuer, audience=audience, lifetime=lifetime)
    text = read_token()

    async def work(service: TokenService) -> PeekedToken[dict[str, Any]]:
        return await service.peek(text, meant, scopes=scope or ())

    seen = with_service(settings, work)
    if as_json:
        print_json({**seen_as_json(seen), "spent": False})
    else:
        show_seen(seen, "good, and nothing was spent")


@token.command()
def revoke(
    purpose: PurposeArgument,
    *,
    audience: AudienceOption = None,
    lifetime: LifetimeOption = None,
    single_use: SingleUseOption = False,
    revocable: RevocableOption = False,
    typ: TypOption = None,
    store: StoreOption = None,
    ring: RingOption = None,
    issuer: IssuerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the token on stdin from now on. It is checked first; one that is expired or spent already is fine."""
    said = PurposeArguments(name=purpose, single_use=single_use, revocable=revocable, typ=typ)
    settings, meant = _prepare(said, store=store, ring=ring, issuer=issuer, audience=audience, lifetime=lifetime)
    text = read_token()

    async def work(service: TokenService) -> None:
        await service.revoke(text, meant)

    with_service(settings, work)
    if as_json:
        print_json({"purpose": meant.name, "revoked": True})
    else:
        show_done("revoked: it is refused everywhere from now on")


@token.command("inspect")
def inspect_token(
    purpose: Annotated[
        str | None,
        typer.Argument(
            metavar="[PURPOSE]",
            help="Say whether the typ is that of this purpose.",
            show_default=False,
            autocompletion=complete_purpose,
        ),
    ] = None,
    *,
    typ: TypOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decode the token on stdin WITHOUT checking anything: no key, no store, no trust."""
    problems: list[str] = []
    expected: str | None = None
    if purpose is not None:
        said = PurposeArguments(name=purpose, single_use=False, revocable=False, typ=typ)
        expected = purpose_of(said, problems, audience=(), lifetime=None, is_minting=False).typ
        ConfigurationError.raise_if(problems)
    found = inspect(read_token(), typ=expected)
    if as_json:
        print_json(inspected_as_json(found))
    else:
        show_inspected(found)


def _print(tokens: Sequence[MintedToken]) -> None:
    # Flushed: whoever reads has them now, and is found to be gone before more are minted for nobody.
    print(*tokens, sep="\n", flush=True)


def _print_as_json(tokens: Sequence[MintedToken]) -> None:
    for token in tokens:
        print_json(minted_as_json(token))
    sys.stdout.flush()


def _prepare(
    said: PurposeArguments,
    *,
    store: str | None,
    ring: str | None,
    issuer: str | None,
    audience: Sequence[str] | None,
    lifetime: str | None,
) -> tuple[Settings, Purpose[dict[str, Any]]]:
    """Settings and purpose for a command that verifies; it takes what minting takes, so that both are called alike."""
    problems: list[str] = []
    settings = read_settings(
        os.environ,
        problems,
        store=store,
        ring=ring,
        issuer=issuer,
        audience=audience,
        lifetime=lifetime,
        needs_issuer=True,
    )
    meant = purpose_of(said, problems, audience=settings.audience, lifetime=settings.lifetime, is_minting=False)
    ConfigurationError.raise_if(problems)
    return settings, meant
