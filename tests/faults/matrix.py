"""Which fate is allowed to which call, whatever goes wrong."""

import os
from itertools import product

from tests.faults.ground import Fate
from tests.faults.paths import PATHS
from tests.faults.wire import Mishap

__all__ = ["ON_THE_WAY", "allowed", "cells", "names"]

ON_THE_WAY = {
    "redis": tuple(Mishap),
    # TCP doubles nothing. What we send to Redis has markers and bears it; the protocol of PostgreSQL has none.
    "postgresql": tuple(mishap for mishap in Mishap if mishap is not Mishap.DOUBLED),
}


_IS_ALL = os.environ.get("FAULTS") == "all"


def names(backend: str) -> list[str]:
    """The calls that are tried: one of each kind where each try costs, and all if the environment says `FAULTS=all`."""
    return list(PATHS[backend]) if _IS_ALL or backend != "postgresql" else ["claim", "commit", "give mints back"]


def cells(backend: str) -> list[tuple[str, Mishap]]:
    """Those with every mishap on the way to their server."""
    return list(product(names(backend), ON_THE_WAY[backend]))


def allowed(backend: str, path: str, mishap: Mishap) -> frozenset[Fate]:
    """What may become of a call one of whose exchanges goes wrong on its way."""
    is_repeatable, is_sql = PATHS[backend][path].is_repeatable, backend == "postgresql"
    match mishap:
        case Mishap.BLACK_HOLE:
            fates = {Fate.NOTHING, Fate.UNKNOWN}  # who never got through to the server knows that nothing happened
        case Mishap.LOST | Mishap.TOO_LATE if is_sql:
            fates = set(Fate)  # a transaction is never run beside another one that may still go on
        case _ if is_repeatable or mishap is Mishap.LATE:
            fates = {Fate.DONE}
        case _ if is_sql or mishap is Mishap.DOUBLED:
            fates = {Fate.DONE, Fate.UNKNOWN}  # it depends on which exchange it was, or on when the second copy comes
        case _:
            fates = {Fate.UNKNOWN}
    return frozenset(fates)
