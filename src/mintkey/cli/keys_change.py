"""The commands of `mintkey keys` that change a ring, or what seals it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mintkey.cli.kids import find_version
from mintkey.cli.options import JsonOption, KidArgument, RingOption, StoreOption, YesOption
from mintkey.cli.render import show_done
from mintkey.cli.settings import ring_settings
from mintkey.cli.shapes import print_json, version_as_json
from mintkey.cli.stdin import confirm
from mintkey.cli.store import with_keys
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.sealing import Sealer
from mintkey.settings import durations

__all__ = ["prune", "revoke", "rewrap", "rotate", "seal_key"]


def rotate(
    *, store: StoreOption = None, ring: RingOption = None, yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Let the next version sign from now on; the one before it keeps verifying for MINTKEY_PREVIOUS_TTL (1d).

    Where there are no keys yet it makes the first ones, and says that nothing was rotated.
    """
    settings = ring_settings(store=store, ring=ring)
    confirm("Rotate the key now?", is_agreed=yes, otherwise="nothing was rotated", as_json=as_json)

    async def work(provider: RotatingKeyProvider) -> tuple[bool, KeyVersion]:
        # Whoever mistyped the store or the ring must not believe that the key of the other one is out of use.
        was_there = await provider.workings.access.load() is not None
        return was_there, await provider.rotate()

    was_there, version = with_keys(settings, work)
    if as_json:
        print_json({**version_as_json(version), "rotated": was_there})
    elif was_there:
        show_done(f"{version.kid} signs from now on")
    else:
        show_done(f"ring {settings.ring!r} begins: there were no keys, so nothing was rotated")
        show_done(f"{version.kid} signs")


def revoke(
    kid: KidArgument,
    *,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, kept in the ring; at most 500 characters.", show_default=False)
    ] = "",
    store: StoreOption = None,
    ring: RingOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Refuse everything that a version signed, from now on. If it is the one that signs, the next one takes over."""
    settings = ring_settings(store=store, ring=ring)
    version = find_version(with_keys(settings, RotatingKeyProvider.versions), kid)
    confirm(
        f"Revoke {version.kid} ({version.state})? All its tokens are refused at once.",
        is_agreed=yes,
        otherwise="nothing was revoked",
        as_json=as_json,
    )

    async def work(provider: RotatingKeyProvider) -> Sequence[KeyVersion]:
        await provider.revoke(version.kid, reason=reason)
        return await provider.versions()

    after = with_keys(settings, work)
    signer = next(each.kid for each in after if each.state is KeyState.ACTIVE)
    if as_json:
        print_json({"revoked": version_as_json(find_version(after, version.kid)), "signs": signer})
    else:
        show_done(
            f"{version.kid} is revoked, and everybody knows within {durations.as_text(settings.refresh_interval)}"
        )
        show_done(f"{signer} signs")


def prune(*, store: StoreOption = None, ring: RingOption = None, as_json: JsonOption = False) -> None:
    """Drop versions whose time is over, which processes at work do by themselves; tokens of theirs stay refused."""
    dropped = with_keys(ring_settings(store=store, ring=ring), RotatingKeyProvider.prune)
    if as_json:
        print_json({"pruned": dropped})
    else:
        show_done(_counted(dropped, "dropped", none="nothing to drop: no version's time is over"))


def rewrap(*, store: StoreOption = None, ring: RingOption = None, as_json: JsonOption = False) -> None:
    """Seal every private key anew under the first of MINTKEY_SEAL_KEYS; then the others may be taken away."""
    sealed = with_keys(ring_settings(store=store, ring=ring), RotatingKeyProvider.rewrap)
    if as_json:
        print_json({"rewrapped": sealed})
    else:
        none = "nothing to do: the first seal key seals all of them already"
        show_done(_counted(sealed, "sealed under the first seal key", none=none))


def seal_key(*, as_json: JsonOption = False) -> None:
    """Print a fresh key-encryption key for MINTKEY_SEAL_KEYS; it belongs into a secret manager."""
    key = Sealer.generate_key()
    if as_json:
        print_json({"seal_key": key})
    else:
        print(key)


def _counted(count: int, done: str, *, none: str) -> str:
    return f"{count} {'version' if count == 1 else 'versions'} {done}" if count else none
