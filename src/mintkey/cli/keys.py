"""`mintkey keys`: look at the versions of the key; the commands that change something are in `keys_change`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mintkey.cli import ring_view
from mintkey.cli.completion import complete_kid
from mintkey.cli.keys_change import prune, revoke, rewrap, rotate, seal_key
from mintkey.cli.keys_copy import copy
from mintkey.cli.kids import KidCommand, find_version
from mintkey.cli.moments import now
from mintkey.cli.options import JsonOption, KidArgument, RingOption, StoreOption, show_help
from mintkey.cli.render import show_facts, stdout
from mintkey.cli.ring_outlook import look_ahead, next_rotation, with_rotation
from mintkey.cli.settings import ring_settings
from mintkey.cli.shapes import print_json, version_as_json, whole_version_as_json
from mintkey.cli.store import with_keys
from mintkey.errors import ConfigurationError
from mintkey.jose.spki import public_pem
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.keys.engine import RotatingKeyProvider

__all__ = ["keys", "print_jwks"]

keys: typer.Typer = typer.Typer(
    help="Look at the versions of the key, rotate and revoke them, move them to another store.",
    invoke_without_command=True,
)
keys.callback()(show_help)


@keys.command("list")
def list_versions(*, store: StoreOption = None, ring: RingOption = None, as_json: JsonOption = False) -> None:
    """Show the versions of the key: which one signs, which one is next and when, how long old ones verify."""
    settings = ring_settings(store=store, ring=ring)
    ahead = with_keys(settings, look_ahead)
    if as_json:
        rotates_at = None if ahead.rotates_at is None else ahead.rotates_at.isoformat()
        print_json({"keys": [version_as_json(version) for version in ahead.versions], "rotates_at": rotates_at})
        return
    console, policy, at = stdout(), settings.policy, now()
    ring_view.show_table(console, ahead.versions)
    console.print()
    ring_view.show_time_line(console, with_rotation(ahead, previous_ttl=policy.previous_ttl, now=at), now=at)
    console.print()
    show_facts(console, {"next rotation": next_rotation(ahead, policy, now=at)})


@keys.command(cls=KidCommand)
def show(kid: KidArgument, *, store: StoreOption = None, ring: RingOption = None, as_json: JsonOption = False) -> None:
    """Show all there is to know about one version: its times, its mints, its public key."""
    version = find_version(_versions(store, ring), kid)
    if as_json:
        print_json(whole_version_as_json(version))
        return
    console = stdout()
    ring_view.show_version(console, version)
    console.print()
    ring_view.show_time_line(console, [version], now=now())


@keys.command()
def export(
    *,
    pem: Annotated[
        str | None,
        typer.Option(
            metavar="KID",
            help="One version as PEM instead, for whoever reads no JWKs.",
            show_default=False,
            autocompletion=complete_kid,
        ),
    ] = None,
    store: StoreOption = None,
    ring: RingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the public keys, never a private one: the JWK Set, or one version as PEM."""
    if pem is None:
        print_jwks(store=store, ring=ring, as_json=as_json)
        return
    version = find_version(_versions(store, ring), pem)
    if version.state in {KeyState.REVOKED, KeyState.RETIRED}:
        raise ConfigurationError(f"{version.kid} is {version.state}: nobody should verify with it any more")
    if version.public_jwk is None:
        raise ConfigurationError(f"{version.kid} is a secret ({version.algorithm}), which has no public half")
    text = public_pem(version.public_jwk)
    if as_json:
        print_json({"kid": version.kid, "algorithm": version.algorithm, "pem": text})
    else:
        print(text, end="")


keys.command(cls=KidCommand)(revoke)
for _command in (rotate, prune, rewrap, copy, seal_key):
    keys.command()(_command)


def print_jwks(*, store: StoreOption = None, ring: RingOption = None, as_json: JsonOption = False) -> None:
    """Print the JWK Set: the public keys of all versions that sign or verify (RFC 7517)."""

    async def work(provider: RotatingKeyProvider) -> dict[str, object]:
        return {**(await provider.jwks()).as_dict()}

    jwks = with_keys(ring_settings(store=store, ring=ring), work)
    if as_json:
        print_json(jwks)
    else:
        stdout().print_json(data=jwks)


def _versions(store: str | None, ring: str | None) -> Sequence[KeyVersion]:
    return with_keys(ring_settings(store=store, ring=ring), RotatingKeyProvider.versions)
