"""Who meets at one token, and what may go wrong meanwhile."""

import os
from collections.abc import Mapping

from tests.model.claims import Bounds
from tests.model.ledger import Program, redeem, redeem_in_vain, revoke, spend, spend_twice

__all__ = ["SCENARIOS"]

_MORE = 1 if os.environ.get("MINTKEY_MODEL") == "large" else 0
"""One more silence in each: minutes in place of seconds."""

SCENARIOS: Mapping[str, tuple[Mapping[str, Program], Bounds]] = {
    "three spend": ({"a": spend, "b": spend, "c": spend}, Bounds(delays=1 + _MORE)),
    "two spend over a bad network": ({"a": spend, "b": spend}, Bounds(delays=3 + _MORE)),
    "one asks again": ({"a": spend_twice, "b": spend}, Bounds(delays=1 + _MORE)),
    "two redeem": ({"a": redeem, "b": redeem}, Bounds(delays=1 + _MORE, leases_end=2)),
    "one redeems in vain, one spends": ({"a": redeem_in_vain, "b": spend}, Bounds(delays=1 + _MORE, leases_end=1)),
    "one redeems, one in vain, one spends": ({"a": redeem, "b": redeem_in_vain, "c": spend}, Bounds(leases_end=1)),
    "one redeems in vain, two spend": ({"a": redeem_in_vain, "b": spend, "c": spend}, Bounds(leases_end=1)),
    "one revokes, two spend": ({"a": spend, "b": spend, "r": revoke}, Bounds(delays=1 + _MORE)),
    "one revokes, one redeems": ({"a": redeem, "r": revoke}, Bounds(delays=1 + _MORE, leases_end=1)),
    "memory is lost, two spend": ({"a": spend, "b": spend}, Bounds(delays=_MORE, losses=1)),
    "memory is lost, one asks again": ({"a": spend_twice, "b": spend}, Bounds(losses=1)),
    "memory is lost, one redeems": ({"a": redeem, "b": spend}, Bounds(delays=_MORE, losses=1)),
    "memory is lost, one revokes": ({"a": spend, "r": revoke}, Bounds(delays=1 + _MORE, losses=1)),
    "a replica takes over, two spend": ({"a": spend, "b": spend}, Bounds(delays=1 + _MORE, fail_overs=1)),
    "a replica takes over, one redeems": ({"a": redeem, "b": spend}, Bounds(delays=_MORE, fail_overs=1)),
}
if _MORE:
    SCENARIOS = {**SCENARIOS, "memory is lost, three spend": ({"a": spend, "b": spend, "c": spend}, Bounds(losses=1))}
