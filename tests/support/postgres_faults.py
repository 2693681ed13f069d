"""A way to PostgreSQL on which the answers to commits get lost."""

import asyncio
from contextlib import suppress
from typing import Self

__all__ = ["LossyWay"]

_CHUNK = 65_536


class LossyWay:
    """A proxy; leaving it resets every connection.

    Attributes:
        port: Its own port.
        lose: The answers to so many commits from now on are lost with their connections; the server has committed.
        refuse: Connections are reset as soon as they are accepted.
        commits: How many commits passed so far.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lose = 0
        self.refuse = False
        self.commits = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports are closed by the loop's next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with suppress(OSError):
                if not self.refuse:
                    await self._join(reader, writer)
        finally:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        answers = asyncio.ensure_future(self._pass_on(from_server, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                is_lost = self._is_lost(chunk)
                if is_lost:
                    answers.cancel()
                    await asyncio.wait([answers])
                to_server.write(chunk)
                if is_lost:
                    await from_server.read(_CHUNK)  # it has committed
                    return
        finally:
            to_server.transport.abort()
            answers.cancel()

    def _is_lost(self, chunk: bytes) -> bool:
        if b"COMMIT;" not in chunk:  # nor READ COMMITTED
            return False
        self.commits += 1
        self.lose -= (is_lost := self.lose > 0)
        return is_lost

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
        writer.transport.abort()
