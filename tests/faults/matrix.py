"""Which fate is allowed to which call, whatever goes wrong."""

import os
from collections.abc import Iterable
from itertools import cycle, product
from typing import TypeVar

from tests.faults.ground import Fate
from tests.faults.paths import PATHS
from tests.faults.wire import Mishap

__all__ = ["allowed", "cells"]

_IS_ALL = os.environ.get("MINTKEY_FAULTS") == "all"

_TELLING = frozenset({Mishap.RESET_AFTER, Mishap.LOST, "killed"})
"""Was it executed? The answer does not say."""

Fault = TypeVar("Fault")


def cells(backend: str, faults: Iterable[Fault], *, names: Iterable[str] | None = None) -> list[tuple[str, Fault]]:
    """Which calls, of all or of those that are named, are tried with which faults.

    All with all if the environment says `MINTKEY_FAULTS=all`. Else each call with another fault than its neighbours,
    and a claim with every fault, or with the few that tell most where each try costs: each kind of call and each kind
    of fault is there, and what they do not share is not tried again and again.
    """
    calls, kinds = list(PATHS[backend] if names is None else names), list(faults)
    if _IS_ALL:
        return list(product(calls, kinds))
    claims = [kind for kind in kinds if backend != "postgresql" or kind in _TELLING]
    turns = zip(range(max(len(calls), len(kinds))), cycle(calls), cycle(kinds), strict=False)
    return list(dict.fromkeys([*((calls[0], kind) for kind in claims), *((call, kind) for _, call, kind in turns)]))


def allowed(backend: str, path: str, mishap: Mishap) -> frozenset[Fate]:
    """What may become of a call one of whose exchanges goes wrong on its way."""
    is_repeatable, is_sql = PATHS[backend][path].is_repeatable, backend == "postgresql"
    match mishap:
        case Mishap.BLACK_HOLE:
            fates = {Fate.NOTHING, Fate.UNKNOWN}  # who never got through to the server knows that nothing happened
        case _ if is_repeatable or mishap is Mishap.LATE:
            fates = {Fate.DONE}
        case _ if is_sql or mishap is Mishap.DOUBLED:
            fates = {Fate.DONE, Fate.UNKNOWN}  # it depends on which exchange it was, or on when the second copy comes
        case _:
            fates = {Fate.UNKNOWN}
    return frozenset(fates)
