"""`mintkey keys copy`: move a ring to another store without one rejected token."""

import os
from dataclasses import replace
from typing import Annotated

import anyio
import typer

from mintkey.cli.options import JsonOption, RingOption, StoreOption
from mintkey.cli.progress import Progress, progress
from mintkey.cli.render import show_done, show_facts, stdout
from mintkey.cli.settings import Settings, read_sealer, ring_settings
from mintkey.cli.shapes import print_json
from mintkey.cli.store import Place, find_place, keys_at, open_place
from mintkey.errors import ConfigurationError
from mintkey.keys.copying import Copied, copy_ring
from mintkey.settings.redaction import redacted

__all__ = ["copy"]

_SEAL_KEYS = "MINTKEY_SEAL_KEYS"


def copy(
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="The store that is to know the ring, too.", show_default=False)
    ],
    to_seal_keys_from: Annotated[
        str, typer.Option(metavar="VAR", help="The variable that holds the seal keys of that store.")
    ] = _SEAL_KEYS,
    store: StoreOption = None,
    ring: RingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the ring to another store, so that a fleet can move there without one rejected token.

    Copy, let the processes move one by one, and after a rotation on either
    side copy again, from there to the other: what both know is joined, and a
    revocation wins. Set MINTKEY_MAX_MINTS as the application does, because the
    mints that a version has left are halved between the two stores. Marks of
    spent and revoked tokens are not copied.
    """
    settings = ring_settings(store=store, ring=ring)
    source = find_place(settings)
    if source.database is not None and not source.database.exists():
        raise ConfigurationError("--store holds no ring that could be copied")
    target = _target(settings, source, to, to_seal_keys_from)
    with progress("copying", is_wanted=not as_json) as tell:
        copied = anyio.run(_copy, settings, source, target, tell)
    if as_json:
        print_json({"versions": copied.versions, "added": copied.added, "revision": copied.revision})
        return
    noun = "version" if copied.versions == 1 else "versions"
    show_done(f"{copied.versions} {noun} there now, {copied.added} of them new")
    show_facts(stdout(), {"ring": settings.ring, "from": redacted(source.url), "to": redacted(target.url)})


async def _copy(settings: Settings, source: Place, target: Place, tell: Progress) -> Copied:
    async with keys_at(settings, source) as here, keys_at(settings, target) as there:
        return await copy_ring(here, there, max_mints=settings.policy.max_mints, progress=tell)


def _target(settings: Settings, source: Place, to: str, variable: str) -> Place:
    """The place to copy to, sealed if the source is."""
    if to == source.url:
        raise ConfigurationError("--to is --store: name another place")
    sealer = read_sealer(os.environ, variable)
    if sealer is None and variable != _SEAL_KEYS:
        raise ConfigurationError(f"{variable} is not set: it is to hold the seal keys of --to")
    target = open_place(replace(settings, store=to, sealer=sealer), option="--to")
    if source.sealer is not None and target.sealer is None:
        raise ConfigurationError(
            "the private keys are sealed here and would lie open there: name the variable with the seal keys of --to "
            "by --to-seal-keys-from; `mintkey keys seal-key` makes one"
        )
    return target
