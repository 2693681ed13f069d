"""AWS KMS for tests: a server process, a look behind it, and a proxy in front of it that fails on demand."""

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import anyio

from tests.support.http_server import DROP, HANG, HttpServer, Reply, Request, json_reply
from tests.support.kms_server import WITHOUT_ED25519

__all__ = ["REGION", "WITHOUT_ED25519", "KmsProxy", "KmsServer", "operation_of", "running_kms"]

REGION = "eu-central-1"
_ROOT = Path(__file__).parents[2]
_TYPE = "application/x-amz-json-1.1"


@dataclass
class KmsServer:
    """The server process, and what an administrator sees and does there."""

    port: int
    region: str = REGION

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask it without any of the code that is tested; blocking."""
        return cast("dict[str, Any]", self._post("/", f"TrentService.{operation}", json.dumps(parameters)))

    def state(self, arn: str) -> str:
        """The state of a key, as in "Enabled" or "PendingDeletion"."""
        return str(self.call("DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"])

    def tags(self, arn: str) -> dict[str, str]:
        return {tag["TagKey"]: tag["TagValue"] for tag in self.call("ListResourceTags", KeyId=arn)["Tags"]}

    def arns(self, state: str | None = None) -> list[str]:
        """The ARNs of all keys, or of those in a state."""
        arns = [str(key["KeyArn"]) for key in self.call("ListKeys")["Keys"]]
        return [arn for arn in arns if state is None or self.state(arn) == state]

    def forget(self) -> None:
        """Have no keys any more."""
        self._post("/moto-api/reset", "", "")

    def _post(self, path: str, target: str, body: str) -> Any:
        credential = f"Credential=admin/20260101/{self.region}/kms/aws4_request"
        scope = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"
        headers = {"X-Amz-Target": target, "Content-Type": _TYPE, "Authorization": scope}
        request = urllib.request.Request(f"{self.url}{path}", body.encode(), headers)  # noqa: S310 - loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else {}


@contextmanager
def running_kms() -> Iterator[KmsServer]:
    """A server for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.support.kms_server"]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield KmsServer(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


Fate = Callable[[Request], Reply | None]
"""What a request meets instead of KMS; None: nothing."""


class KmsProxy(HttpServer):
    """In front of KMS, in the test's event loop: late, lossy, and with faults of AWS's that moto does not have.

    Attributes:
        latency: Seconds that every answer takes longer.
        fates: Asked in turn about every request.
        asked: The operations that came in, in order.
    """

    def __init__(self, kms: KmsServer) -> None:
        super().__init__()
        self.latency: float = 0.0
        self.fates: list[Fate] = []
        self.asked: list[str] = []
        self._kms = kms
        self._client: aiohttp.ClientSession | None = None
        self._lost: Counter[str] = Counter()
        self.route("/", self.passed)

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        if self._client is not None:
            await self._client.close()

    def refuse(self, code: str, *operations: str, status: int = 400, times: int = 10**9) -> None:
        """Answer with an error, so many times; all operations, unless some are named."""
        left = [times]

        def fate(request: Request) -> Reply | None:
            if (operations and operation_of(request) not in operations) or not left[0]:
                return None
            left[0] -= 1
            answer = {"__type": code, "message": f"secret words of {code} about arn:aws:kms:eu:1:key/of-others"}
            return json_reply(answer, status=status, headers={"Content-Type": _TYPE})

        self.fates.append(fate)

    def drop(self, *operations: str, times: int = 10**9) -> None:
        """Reset the connection before KMS hears of it, so many times."""
        self._meet(DROP, operations, times)

    def hang(self, *operations: str, times: int = 10**9) -> None:
        """Answer nothing before `release`, so many times; KMS does not hear of it."""
        self._meet(HANG, operations, times)

    def say(self, content: object, *operations: str) -> None:
        """Answer something else."""
        self._meet(json_reply(content, headers={"Content-Type": _TYPE}), operations, 10**9)

    def pages(self, *answers: object) -> None:
        """Answer `ListKeys` with these, one after the other."""
        left = list(answers)

        def fate(request: Request) -> Reply | None:
            if operation_of(request) != "ListKeys":
                return None
            assert (len(left) == len(answers)) is ("Marker" not in request.json)
            return json_reply(left.pop(0), headers={"Content-Type": _TYPE})

        self.fates.append(fate)

    def _meet(self, reply: Reply, operations: Sequence[str], times: int) -> None:
        left = [times]

        def fate(request: Request) -> Reply | None:
            if operation_of(request) not in operations or not left[0]:
                return None
            left[0] -= 1
            return reply

        self.fates.append(fate)

    def lose(self, operation: str, *, times: int) -> None:
        """Have an operation carried out and its answer lost, so many times."""
        self._lost[operation] = times

    async def passed(self, request: Request) -> Reply:
        """What a request gets."""
        operation = operation_of(request)
        self.asked.append(operation)
        if self.latency:
            await anyio.sleep(self.latency)
        for fate in self.fates:
            met = fate(request)
            if met is not None:
                return met
        reply = await self._forward(request)
        self._lost[operation] -= 1
        return DROP if self._lost[operation] >= 0 else reply

    async def _forward(self, request: Request) -> Reply:
        if self._client is None:
            self._client = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        names = ("x-amz-target", "content-type", "authorization", "x-amz-date")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        async with self._client.post(self._kms.url, data=request.body, headers=headers) as answer:
            return Reply(answer.status, {"Content-Type": answer.headers["Content-Type"]}, await answer.read())


def operation_of(request: Request) -> str:
    """The operation, as in "Sign"."""
    return request.headers["x-amz-target"].partition(".")[2]
