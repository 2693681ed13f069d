"""States of a Redis or Valkey server in which it cannot do what it is asked, each for as long as a block lasts."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from socket import create_connection
from threading import Thread

from redis import Redis
from redis.exceptions import ResponseError

from tests.faults.ground import Fate
from tests.support.redis_groups import wait_until
from tests.support.servers import RedisServer, free_port

__all__ = ["STATES", "WAITED_OUT", "keeping"]

_NOTHING, _NO_ANSWER = frozenset({Fate.NOTHING}), frozenset({Fate.NOTHING, Fate.UNKNOWN})
_DONE, _UNKNOWN = frozenset({Fate.DONE}), frozenset({Fate.UNKNOWN})

keeping = ("--appendonly", "yes", "--appendfsync", "always", "--rdbcompression", "no")
"""Options of a server that keeps what it was told when it is killed; it takes as long to read as it is long."""

_STUFFING = 2_000
"""Keys that take a server longer to read than anybody waits here: 10 ms each."""
_STUFF = "for number = 1, ARGV[1] do redis.call('SET', 'stuffing:' .. number, string.rep('x', 2000)) end"
_CLEAR = "for number = 1, ARGV[1] do redis.call('DEL', 'stuffing:' .. number) end"

State = Callable[[RedisServer], AbstractContextManager[object]]


@contextmanager
def _set(server: RedisServer, name: str, during: str, otherwise: str) -> Iterator[None]:
    server.command("CONFIG", "SET", name, during)
    try:
        yield
    finally:
        server.command("CONFIG", "SET", name, otherwise)


@contextmanager
def _paused(server: RedisServer) -> Iterator[None]:
    """It takes its time, but less than anybody's patience."""
    server.command("CLIENT", "PAUSE", "60", "ALL")
    yield


def _settle(server: RedisServer) -> None:
    """Whatever was sent to it so far has been executed behind this, or will never be."""
    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@contextmanager
def _frozen(server: RedisServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()
        _settle(server)


@contextmanager
def _killed(server: RedisServer) -> Iterator[None]:
    _end(server)
    yield
    _begin(server)


def _end(server: RedisServer) -> None:
    assert server._process is not None
    server._process.kill()
    server._process.wait()


def _begin(server: RedisServer) -> None:
    """Go on with the directory that it had."""
    _launch(server)
    assert server._answers()


def _launch(server: RedisServer, *options: str) -> None:
    command = (*server._command_line(), *options)
    server._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def _loading(server: RedisServer) -> Iterator[None]:
    """It was started again, and reads what it kept, a moment for each key, until it is told to hurry."""
    server.command("EVAL", _STUFF, "0", str(_STUFFING))
    server.command("BGREWRITEAOF")
    wait_until(lambda: server.command("INFO", "persistence")["aof_rewrite_in_progress"] == 0)
    _end(server)
    _launch(server, "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
    wait_until(lambda: _answer(server, "PING").startswith(b"-LOADING"))
    yield
    assert _answer(server, "PING").startswith(b"-LOADING"), "it had more to read than the call had time"
    assert _answer(server, "CONFIG SET key-load-delay 0") == b"+OK"
    assert server._answers()
    server.command("EVAL", _CLEAR, "0", str(_STUFFING))


def _answer(server: RedisServer, command: str) -> bytes:
    """The first line of what it says, without a handshake, which it would refuse; nothing if nobody listens."""
    try:
        with create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(1024).partition(b"\r\n")[0]
    except ConnectionError:
        return b""


@contextmanager
def _replica(server: RedisServer) -> Iterator[None]:
    server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    try:
        yield
    finally:
        server.command("REPLICAOF", "NO", "ONE")


@contextmanager
def _disk_full(server: RedisServer) -> Iterator[None]:
    """It cannot save, so it takes no writes."""
    assert server._directory is not None
    in_the_way = server._directory / "dump.rdb"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    with _set(server, "save", "3600 1000000", ""):
        _save(server, ends="err")
        yield
        in_the_way.rmdir()
        _save(server, ends="ok")


def _save(server: RedisServer, *, ends: str) -> None:
    server.command("BGSAVE")
    wait_until(lambda: server.command("INFO", "persistence")["rdb_last_bgsave_status"] == ends)


@contextmanager
def _busy(server: RedisServer) -> Iterator[None]:
    """Somebody's script does not end."""

    def run() -> None:
        with suppress(ResponseError, OSError):
            server.command("EVAL", "while true do end", "0")

    with _set(server, "busy-reply-threshold", "20", "5000"):
        running = Thread(target=run)
        running.start()
        wait_until(lambda: _says(server, "BUSY"))
        yield
        server.command("SCRIPT", "KILL")
        running.join()
        _settle(server)


def _says(server: RedisServer, code: str) -> bool:
    try:
        server.command("PING")
    except ResponseError as error:
        return str(error).startswith(code)
    return False


@contextmanager
def _forbidden(server: RedisServer) -> Iterator[None]:
    server.command("ACL", "SETUSER", "default", "-@write", "-@scripting")
    try:
        yield
    finally:
        server.command("ACL", "SETUSER", "default", "+@all")


@contextmanager
def _crowded(server: RedisServer) -> Iterator[None]:
    """No connection is left for us; the ones we had were closed."""
    with closing(Redis(port=server.port)) as last:
        last.client_kill_filter(_type="normal", skipme=True)
        last.config_set("maxclients", 1)
        yield
        last.config_set("maxclients", 10_000)


STATES: Mapping[str, tuple[State, frozenset[Fate]]] = {
    "paused": (_paused, _DONE),
    "frozen": (_frozen, _UNKNOWN),
    "killed": (_killed, _NOTHING),
    "loading": (_loading, _NOTHING),
    "read-only": (_replica, _NOTHING),
    "out of memory": (lambda server: _set(server, "maxmemory", "1", "0"), _NOTHING | _DONE),
    "disk full": (_disk_full, _NOTHING),
    "too few replicas": (lambda server: _set(server, "min-replicas-to-write", "1", "0"), _NOTHING),
    "busy": (_busy, _NO_ANSWER),
    "forbidden": (_forbidden, _NOTHING),
    "crowded": (_crowded, _NO_ANSWER),
}
"""By name: what is wrong, and what may become of a call meanwhile. Who frees memory may do so where there is none."""

WAITED_OUT = frozenset({"frozen", "killed", "busy", "crowded"})
"""Those in which nobody answers, so that a call lasts for as long as its caller is patient."""
