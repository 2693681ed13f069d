"""What becomes of a ring if nobody interferes: who signs next, and from when on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mintkey.cli.moments import moment
from mintkey.clock import from_timestamp
from mintkey.keys.base import KeyState, KeyVersion
from mintkey.keys.engine import RotatingKeyProvider
from mintkey.keys.policy import RotationPolicy
from mintkey.keys.ring import rotation_due_at

__all__ = ["Outlook", "look_ahead", "next_rotation", "with_rotation"]

_LATEST = 253_370_764_800  # 9999-01-01
_ONE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A ring, and what comes next.

    Attributes:
        versions: The versions, newest first.
        rotates_at: When the next rotation by time is due; None: never by time alone.
    """

    versions: Sequence[KeyVersion]
    rotates_at: datetime | None


async def look_ahead(keys: RotatingKeyProvider, /) -> Outlook:
    """The ring as the store holds it now, and when its next rotation is due by the policy of the settings.

    Raises:
        KeyProviderError: The store cannot answer (`keys_unavailable`).
    """
    versions = await keys.versions()
    snapshot, _ = keys.workings.keeper.signer()
    policy = keys.workings.policy
    due = rotation_due_at(snapshot.ring, policy)
    is_in_sight = due + policy.previous_ttl.total_seconds() < _LATEST
    return Outlook(versions, from_timestamp(due) if is_in_sight else None)


def with_rotation(ahead: Outlook, /, *, previous_ttl: timedelta, now: datetime) -> Sequence[KeyVersion]:
    """The versions with the times that the next rotation will set, for drawing what is to come."""
    if ahead.rotates_at is None:
        return ahead.versions
    # One that is overdue is done by whoever mints next: the version that signs does so still.
    at = max(ahead.rotates_at, now + _ONE)
    successor = next(version.kid for version in reversed(ahead.versions) if version.state is KeyState.PENDING)

    def then(version: KeyVersion) -> KeyVersion:
        if version.kid == successor:
            return replace(version, activates_at=at)
        if version.state is KeyState.ACTIVE:
            return replace(version, retires_at=at, verify_until=at + previous_ttl)
        return version

    return [then(version) for version in ahead.versions]


def next_rotation(ahead: Outlook, policy: RotationPolicy, /, *, now: datetime) -> str:
    """When the next rotation is due, for people."""
    ways: list[str] = []
    if ahead.rotates_at is not None and ahead.rotates_at <= now:
        return f"due since {moment(ahead.rotates_at)}: the next mint rotates"
    if ahead.rotates_at is not None:
        ways.append(moment(ahead.rotates_at))
    if policy.max_mints is not None:
        mints = next(version.mints for version in ahead.versions if version.state is KeyState.ACTIVE)
        ways.append(f"after {max(0, policy.max_mints - mints):,} more mints")
    return ", or ".join(ways) or "by hand alone"
