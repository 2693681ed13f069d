"""What an operator should know although nothing is broken."""

from collections.abc import Iterator, Sequence

from mintkey.cli.doctor.acceleration import Accelerator, notes_on
from mintkey.cli.doctor.examination import Examination, RingState
from mintkey.cli.settings import Settings
from mintkey.cli.store import Place
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.places import kind_of
from mintkey.settings import durations

__all__ = ["notes"]


def notes(
    settings: Settings, place: Place, found: Examination, accelerators: Sequence[Accelerator], /
) -> Iterator[str]:
    """A sentence for each.

    Args:
        settings: What the operator set.
        place: The store.
        found: What is in it.
        accelerators: What the `speed` extra brings.
    """
    if found.trouble is not None:
        yield f"What could not be read says: {found.trouble}."
    if found.ring is RingState.NONE:
        yield "There is no ring yet: the first mint makes it."
    if kind_of(place.url) == "memory":
        yield "Memory ends with each command: give --store a place that lasts."
    if place.key_file is not None and place.sealer is not None:
        yield (
            f"The key that seals the private keys lies in {place.key_file}, beside the database: whoever takes both "
            "has the keys. Better move it into a secret manager and set MINTKEY_SEAL_KEYS to it."
        )
    if kind_of(place.url) == "file" and place.sealer is None:
        yield "Nothing seals the private keys in this directory. For a sealed ring set MINTKEY_SEAL_KEYS and copy it."
    if not settings.issuer:
        yield "No issuer is set, which the token commands need: MINTKEY_ISSUER or --issuer."
    yield from _differences(settings, found.versions)
    yield from notes_on(accelerators)


def _differences(settings: Settings, versions: Sequence[KeyVersion]) -> Iterator[str]:
    """Where the ring shows that others work by another policy than the environment has."""
    cap = settings.policy.max_mints
    for version in versions:
        if version.state is KeyState.PENDING and version.algorithm != settings.algorithm:
            yield (
                f"MINTKEY_ALGORITHM is {settings.algorithm}, and the next version is for {version.algorithm}: compare "
                "it with the application."
            )
        if cap is not None and version.mints > cap:
            yield (
                f"MINTKEY_MAX_MINTS is {cap:,}, and {version.kid} has {version.mints:,}: compare it with the "
                "application."
            )
    retiring = next((version for version in versions if version.state is KeyState.RETIRING), None)
    if retiring is not None and retiring.verify_until is not None and retiring.retires_at is not None:
        lasts = retiring.verify_until - retiring.retires_at
        if abs(lasts - settings.policy.previous_ttl).total_seconds() >= 1:
            here = durations.as_text(settings.policy.previous_ttl)
            yield (
                f"MINTKEY_PREVIOUS_TTL is {here}, and the last rotation gave the previous version "
                f"{durations.as_text(lasts)}: compare it with the application."
            )
