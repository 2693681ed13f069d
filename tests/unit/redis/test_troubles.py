"""What a caller is told of a server that cannot be reached: why, and neither where it is nor with which password."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mintkey.errors import MintkeyError, Reason
from mintkey.ids import new_id
from mintkey.keys.stores.redis import RedisKeyRingStore
from mintkey.redis.troubles import explain
from mintkey.replay.redis import RedisReplayStore
from tests.support.servers import RedisServer, free_port

SHORT = timedelta(seconds=1.5)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def caused_by(cause: Exception) -> Exception:
    """As redis-py translates what the operating system says."""
    error = ConnectionError("Error 111 connecting to 10.0.0.7:6379.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (caused_by(ConnectionRefusedError(111, "10.0.0.7")), "Redis cannot be reached: Connection refused"),
        (ConnectionResetError(104, "10.0.0.7"), "Redis cannot be reached: Connection reset by peer"),
        (caused_by(socket.gaierror(-2, "10.0.0.7")), "Redis cannot be reached: its name leads nowhere"),
        (ssl.SSLError("10.0.0.7"), "Redis cannot be reached: TLS fails (without a reason)"),
        (EOFError("10.0.0.7"), "Redis cannot be reached: it closes the connection"),
        (caused_by(TimeoutError(110, "10.0.0.7")), "Redis did not answer in time"),
        (ConnectionError("10.0.0.7"), "Redis did not answer in time"),
        (None, "Redis did not answer in time"),
    ],
)
def test_a_trouble_is_told_without_an_address(trouble: Exception | None, message: str) -> None:
    assert explain(trouble) == (message, "timeout" if "in time" in message else "connection")


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that nobody knows; how long a resolver takes to say so is not ours."""

    def resolve(*_arguments: object, **_named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture(params=["refused", "cluster", "sentinel", "no socket", "no name", "no such database"])
def place(request: pytest.FixtureRequest, tmp_path: Path, valkey: RedisServer) -> tuple[str, str]:
    """A URL that leads nowhere, and what is told of it."""
    match request.param:
        case "refused":
            return f"redis://:secret@127.0.0.1:{free_port()}", "Redis cannot be reached: Connection refused"
        case "cluster":
            url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
            return url, "Redis cannot be reached: Connection refused|no node of the cluster says who serves what"
        case "sentinel":
            return f"redis+sentinel://127.0.0.1:{free_port()}/main", "Redis cannot be reached: Connection refused"
        case "no socket":
            return f"unix://:secret@{tmp_path}/redis.sock", "Redis cannot be reached: No such file or directory"
        case "no name":
            request.getfixturevalue("no_names")
            return "redis://:secret@redis.invalid", "Redis cannot be reached: its name leads nowhere"
        case _:
            return f"redis://127.0.0.1:{valkey.port}/9999", "Redis refuses the handshake"


async def claim(url: str) -> object:
    store = RedisReplayStore(url, timeout=SHORT)
    return await store.claim("key", owner=new_id(), issued_at=LATER, expires_at=LATER + timedelta(minutes=1))


async def open_store(url: str) -> object:
    return await RedisReplayStore(url, timeout=SHORT).__aenter__()


async def load_ring(url: str) -> object:
    return await RedisKeyRingStore(url, timeout=SHORT).load("default")


@pytest.mark.parametrize("call", [claim, open_store, load_ring])
async def test_every_call_tells_why_there_is_no_connection(
    place: tuple[str, str], call: Callable[[str], Awaitable[object]]
) -> None:
    url, message = place
    with pytest.raises(MintkeyError, match=message) as caught:
        await call(url)
    assert caught.value.reason in {Reason.REPLAY_UNAVAILABLE, Reason.KEYS_UNAVAILABLE}
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_so_does_a_call_of_a_store_that_worked_before(own_valkey: RedisServer) -> None:
    """And as soon as somebody answers, it is told no more."""
    store = RedisKeyRingStore(own_valkey.url, timeout=SHORT)
    async with store:
        assert await store.load("default") is None
        port = own_valkey.port
        own_valkey.kill()
        with pytest.raises(MintkeyError, match="Connection refused"):
            await store.load("default")
        silent: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, writer: silent.append(writer), "127.0.0.1", port)
        with pytest.raises(MintkeyError, match="did not answer in time"):
            await store.load("default")
        server.close()
        for connection in silent:
            connection.transport.abort()
