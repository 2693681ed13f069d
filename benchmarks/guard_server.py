"""The guarded application as it is served: uvicorn in a process of its own, until somebody ends that."""

import asyncio
import json
import socket
import sys
import time

import uvicorn

from benchmarks.guard_app import application
from benchmarks.pyjwt import PyJWT
from benchmarks.services import SESSION, service, tickets
from mintkey.keys.base import Algorithm
from tests.support.processes import say

__all__ = ["serve"]


async def serve(algorithm: Algorithm, /) -> None:
    """Serve on a free port, and tell it, with a good token for each of the guards.

    Args:
        algorithm: Of both guards.
    """
    tokens, theirs = service(algorithm), PyJWT(algorithm)
    (token,) = await tickets(tokens, SESSION, 1)
    app = application(tokens, theirs)
    # What the whole process took until now: whoever asks before and after knows what it was between.
    app.add_api_route("/seconds", time.process_time)
    # Said to be TCP: of what is not, asyncio does not turn Nagle's algorithm off, and answers wait for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        say(json.dumps({"port": listening.getsockname()[1], "ours": token, "theirs": theirs.encode("0")}))
        config = uvicorn.Config(app, log_level="error")
        await uvicorn.Server(config).serve(sockets=[listening])


def _main(algorithm: Algorithm, loop: str) -> None:
    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(algorithm))


if __name__ == "__main__":
    _main(*json.loads(sys.argv[1])[0])
