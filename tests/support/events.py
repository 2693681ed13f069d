"""One event of every type, for whoever tells of them."""

from mintkey import Reason
from mintkey.events import (
    BackendDegraded,
    Event,
    KeyRevoked,
    Minted,
    Rejected,
    ReuseDetected,
    Revoked,
    Rotated,
    Spent,
    Verified,
)

__all__ = ["EVENTS"]

EVENTS: tuple[Event, ...] = (
    Minted(purpose="link", key_id="k1", count=3),
    Verified(purpose="link", key_id="k1"),
    Spent(purpose="link", key_id="k1"),
    Rejected(purpose="link", reason=Reason.REPLAYED),
    Revoked(purpose="access", what="subject"),
    ReuseDetected(purpose="refresh"),
    BackendDegraded(purpose="link", reason=Reason.REPLAY_UNAVAILABLE),
    Rotated(ring="default", key_id="k2", previous_key_id="k1", is_own=True),
    KeyRevoked(ring="default", key_id="k1", is_own=False),
)
