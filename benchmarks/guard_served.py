"""What is a guarded route worth when it is served? `python -m benchmarks.guard_served [--quick] [--json] [--uvloop]`.

The application of `benchmarks.guard`, served by uvicorn in a process of its own and asked by wrk over connections that
stay open. So the server, its sockets and the parsing of HTTP have their part in these figures; P14 is without them.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from urllib.request import urlopen

from anyio import to_thread

from benchmarks.question import ask
from benchmarks.report import Figure, Report
from benchmarks.rounds import Scale
from mintkey.keys.base import Algorithm
from tests.support.processes import process

__all__ = ["answered", "measure"]

_ALGORITHMS: tuple[Algorithm, ...] = ("EdDSA", "RS256", "HS256")
_ROUNDS = 5
_CONNECTIONS = 8
_SECONDS = 1
"""Of a turn; wrk knows no shorter one."""


async def measure(scale: Scale) -> Report:
    """What the guards add to a request, and how many requests a second are left."""
    if shutil.which("wrk") is None:
        return Report((), notes=("guard_served: not available, wrk is not installed",))
    loop = "uvloop" if type(asyncio.get_running_loop()).__module__.startswith("uvloop") else "asyncio"
    algorithms, rounds = (_ALGORITHMS[:1], 1) if scale.quick else (_ALGORITHMS, _ROUNDS)
    figures: list[Figure] = []
    for algorithm in algorithms:
        turns = await to_thread.run_sync(_turns, algorithm, loop, rounds)
        rate = {route: median(turn.rate for turn in each) for route, each in turns.items()}
        what = f"guard {algorithm}, served:"
        figures += [
            Figure("", f"{what} added / PyJWT's", _ratio_of_what_is_added(turns), at_least=False),
            Figure("", f"{what} requests a second, times PyJWT", rate["ours"] / rate["theirs"]),
            Figure("", f"{what} requests a second, times an open route", rate["ours"] / rate["open"]),
        ]
    return Report(tuple(figures))


def answered(printed: str, /) -> int:
    """How many requests were answered.

    Args:
        printed: By wrk.

    Raises:
        ValueError: Not every answer was good, or there was none.

    Example:
        >>> answered("  1998 requests in 1.00s, 0.30MB read")
        1998
    """
    found = re.search(r"^ +(\d+) requests in ", printed, re.MULTILINE)
    if found is None or "Non-2xx" in printed or "Socket errors" in printed or not int(found[1]):
        raise ValueError(f"wrk was not answered as it should be: {printed}")
    return int(found[1])


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one turn of wrk showed.

    Attributes:
        rate: Requests a second.
        cost: Seconds of the server's processor a request; what else the machine does has no part in them.
    """

    rate: float
    cost: float


def _turns(algorithm: Algorithm, loop: str, rounds: int) -> Mapping[str, Sequence[_Turn]]:
    """One turn of each route a round, in another order every time."""
    with process("benchmarks.guard_server", (algorithm, loop)) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        routes = ["open", "ours", "theirs"]
        turns: defaultdict[str, list[_Turn]] = defaultdict(list)
        order = random.Random(1)  # noqa: S311 - an order, no secret; the same one every time
        for number in range(rounds + 1):
            order.shuffle(routes)
            for route in routes:
                turn = _turn(f"http://127.0.0.1:{said['port']}", route, said.get(route, said["ours"]))
                if number:  # the first one warms up
                    turns[route].append(turn)
    return turns


def _turn(origin: str, route: str, token: str) -> _Turn:
    size = ["--threads", "1", "--connections", str(_CONNECTIONS), "--duration", str(_SECONDS)]
    command = ["wrk", *size, "--header", f"Authorization: Bearer {token}", f"{origin}/{route}"]
    before = _processor_seconds(origin)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - wrk
    count = answered(done.stdout)
    return _Turn(rate=count / _SECONDS, cost=(_processor_seconds(origin) - before) / count)


def _processor_seconds(origin: str) -> float:
    with urlopen(f"{origin}/seconds", timeout=60) as answer:  # noqa: S310 - our own server
        return float(answer.read())


def _ratio_of_what_is_added(turns: Mapping[str, Sequence[_Turn]]) -> float:
    """The time of the processor that our guard adds to a request, times that of the other; the median of the rounds."""
    rounds = zip(turns["open"], turns["ours"], turns["theirs"], strict=True)
    return median((ours.cost - bare.cost) / (theirs.cost - bare.cost) for bare, ours, theirs in rounds)


if __name__ == "__main__":
    sys.exit(ask(measure, sys.argv[1:]))
