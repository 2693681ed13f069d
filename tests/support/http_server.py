"""A hostile HTTP server on loopback: what it answers, and how badly, is set by the test for each path.

In the test's own event loop, on a free port:

    async with HttpServer() as server:
        server.route("/jwks", json_reply({"keys": []}, headers={"ETag": '"1"', "Cache-Control": "max-age=60"}))
        server.route("/jwks", HANG)                         # the next requests get nothing until `server.release()`
        server.route("/jwks", redirect("/elsewhere"))
        server.route("/token", lambda request: json_reply({"was": request.form["grant_type"]}))
        assert server.count("/jwks") == 0
        await server.arrived(1, "/jwks")                    # bounded wait until so many requests came

For code that brings its own event loop, or none: `with serving() as server`, in a thread; `route`, `count` and
`release` may be called from outside.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from inspect import isawaitable
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit

import anyio

__all__ = [
    "DROP",
    "HANG",
    "HttpServer",
    "Reply",
    "Request",
    "drip",
    "endless",
    "json_reply",
    "raw",
    "redirect",
    "serving",
    "status",
]

_CHUNK = 65_536
_DRIP_SECONDS = 0.005
_PATIENCE = 20.0


@dataclass(frozen=True)
class Request:
    """What came in; the names of header fields are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The body as `application/x-www-form-urlencoded`."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out.

    Attributes:
        status: The status code.
        headers: The fields. With an `ETag` and a request that names it, the answer is a 304 without a body.
        body: The content.
        hangs: When nothing comes any more until the server is told to go on: "head" before the first byte, "body"
            between the head and the body.
        drips: The body comes byte by byte, with pauses.
        endless: The body is repeated until the client goes away.
        raw: Sent as it is, instead of everything else.
        drops: The connection is reset before anything is sent.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    hangs: str = ""
    drips: bool = False
    endless: bool = False
    raw: bytes | None = None
    drops: bool = False


Behaviour = Reply | Callable[[Request], "Reply | Awaitable[Reply]"]

HANG = Reply(hangs="head")
"""The connection stays open and nothing comes; then, once released, a 503."""
DROP = Reply(drops=True)
"""The connection is reset."""


def json_reply(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """JSON, as a good server sends it."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return Reply(status, fields, json.dumps(content).encode())


def status(code: int, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
    """A status code, and not much else."""
    return Reply(code, headers or {}, body)


def redirect(location: str, *, code: int = 302) -> Reply:
    """To elsewhere: a path, or a whole URL."""
    return Reply(code, {"Location": location})


def drip(body: bytes = b"{" + b" " * 100_000) -> Reply:
    """A body that comes byte by byte and is not through in the time that anybody has."""
    return Reply(200, {"Content-Type": "application/json"}, body, drips=True)


def endless(body: bytes = b" " * _CHUNK) -> Reply:
    """A body that does not end, in chunks, with no length given."""
    return Reply(200, {"Content-Type": "application/json"}, body, endless=True)


def raw(answer: bytes) -> Reply:
    """Bytes that need not be HTTP."""
    return Reply(raw=answer)


class HttpServer:
    """The server; unknown paths are 404.

    Attributes:
        requests: Everything that came in, in order.
        connections: How many connections were accepted.
        sent: Bytes of bodies that the operating system took from us.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections: int = 0
        self.sent: int = 0
        self._routes: dict[str, Behaviour] = {}
        self._gate = asyncio.Event()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.port: int = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "", *, host: str = "127.0.0.1") -> str:
        """Where a path is; `host="localhost"` is the same server by another name."""
        return f"http://{host}:{self.port}{path}"

    def route(self, path: str, behaviour: Behaviour) -> None:
        """What requests of a path get from now on."""
        self._routes[path] = behaviour

    def count(self, path: str | None = None) -> int:
        """How many requests came, of a path or in all."""
        return sum(path in {None, request.path} for request in self.requests)

    async def arrived(self, number: int, path: str | None = None) -> None:
        """Wait until so many requests came."""
        with anyio.fail_after(_PATIENCE):
            while self.count(path) < number:
                self._news.clear()
                await self._news.wait()

    def release(self) -> None:
        """Let everything that hangs go on; what comes later hangs again."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._open_gate)

    def _open_gate(self) -> None:
        gate, self._gate = self._gate, asyncio.Event()
        gate.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(task := cast("asyncio.Task[None]", asyncio.current_task()))
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # the server is being closed
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection goes on."""
        request = await _read(reader)
        self.requests.append(request)
        self._news.set()
        behaviour = self._routes.get(request.path, Reply(404))
        made = behaviour if isinstance(behaviour, Reply) else behaviour(request)
        reply = await made if isawaitable(made) else made
        if reply.drops:
            return False
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            writer.write_eof()
            await reader.read()  # until the client leaves: a reset could overtake what was sent
            return False
        if reply.hangs == "head":
            await self._gate.wait()
            if reply is HANG:
                reply = Reply(503)
        etag = {name.lower(): value for name, value in reply.headers.items()}.get("etag")
        if etag is not None and request.headers.get("if-none-match") == etag:
            reply = replace(reply, status=304, body=b"")
        await self._send(reply, writer)
        return not reply.endless

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(reply))
        await writer.drain()
        if reply.hangs == "body":
            await self._gate.wait()
        if reply.drips:
            for byte in reply.body:
                await self._write(bytes([byte]), writer)
                await asyncio.sleep(_DRIP_SECONDS)  # the client is to run out of time, not us
            return
        while True:
            for start in range(0, len(reply.body), _CHUNK):
                chunk = reply.body[start : start + _CHUNK]
                await self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if reply.endless else chunk, writer)
            if not reply.endless:
                return

    async def _write(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(chunk)
        await writer.drain()
        self.sent += len(chunk)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def _head(reply: Reply) -> bytes:
    fields = dict(reply.headers)
    if reply.endless:
        fields["Transfer-Encoding"] = "chunked"
    elif reply.status not in {204, 304}:
        fields.setdefault("Content-Length", str(len(reply.body)))
    lines = [
        f"HTTP/1.1 {reply.status} {_phrase(reply.status)}",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"


@contextmanager
def serving() -> Iterator[HttpServer]:
    """A server in a thread with an event loop of its own, for as long as the block lasts."""
    ready, box = threading.Event(), dict[str, Any]()

    async def main() -> None:
        async with HttpServer() as server:
            box.update(server=server, loop=asyncio.get_running_loop(), end=asyncio.Event())
            ready.set()
            await box["end"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE)
    try:
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["end"].set)
        thread.join(_PATIENCE)
