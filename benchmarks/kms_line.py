"""A KMS at the end of a bad line, in processes of its own: `python -m benchmarks.kms_line '[[SECONDS, SHARE]]'`.

moto's server signs; a proxy in front of it answers late, and refuses some requests as AWS does when it is busy.
"""

import asyncio
import json
import random
import sys

from tests.support.http_server import Reply, Request, json_reply
from tests.support.kms import KmsProxy, operation_of, running_kms
from tests.support.processes import say

__all__ = ["serve"]

_REFUSALS = (("ThrottlingException", 400), ("KMSInternalException", 500), ("DependencyTimeoutException", 503))


async def serve(latency: float, failing: float, /) -> None:
    """Serve on a free port, and tell it, until somebody ends the process.

    Args:
        latency: Seconds that every answer takes longer.
        failing: The share of signatures that are refused and may be asked for again.
    """
    lot = random.Random(1)  # noqa: S311 - bad luck, no secret; the same every time

    def busy(request: Request) -> Reply | None:
        if operation_of(request) != "Sign" or lot.random() >= failing:
            return None
        code, status = lot.choice(_REFUSALS)
        return json_reply({"__type": code}, status=status, headers={"Content-Type": "application/x-amz-json-1.1"})

    with running_kms() as kms:
        async with KmsProxy(kms) as proxy:
            proxy.latency, proxy.fates = latency, [busy]
            say(json.dumps({"port": proxy.port}))
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*map(float, json.loads(sys.argv[1])[0])))
