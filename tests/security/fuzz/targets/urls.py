"""URLs of stores and of servers: what they lead to, what is shown of them, and that nothing foreign is raised."""

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import unquote

from sqlalchemy import make_url

from mintkey.errors import ConfigurationError
from mintkey.http.urls import same_origin, url_problem
from mintkey.places import kind_of, marks_database_of
from mintkey.redis.sources import topology_of
from mintkey.settings.redaction import redacted
from mintkey.sql.engine import open_engine
from tests.security.fuzz.mutating import flipped
from tests.security.fuzz.reference import http_urls, places
from tests.security.fuzz.target import UNSURE, Finding, Target, check, outcome_of, verdict_of

__all__ = ["URLS"]

_PASSWORD = "hunter2"
_SEEDS = (
    "memory://",
    "file:///var/lib/myapp/keys",
    "file:///var/lib/my%20app/ke%3Fys",
    "sqlite:///tokens.db",
    "sqlite:////var/lib/tokens.db?timeout=5",
    "postgresql://app:hunter2@db.example:5432/tokens?sslmode=require&application_name=app",
    "postgresql+asyncpg://app:hunter2@/tokens?host=/run/postgresql",
    "postgres://app@db.example/tokens?sslpassword=hunter2",
    "redis://app:hunter2@cache.example:6379/3?client_name=app",
    "redis://:hunter2@[::1]:6379",
    "rediss://app:hunter2@cache.example?ssl_cert_reqs=required&password=hunter2",
    "unix://app:hunter2@/run/redis.sock?db=2",
    "redis+cluster://app:hunter2@a.example:7000,b.example,[::1]:7002?client_name=app",
    "rediss+sentinel://app:hunter2@a.example,b.example:26380/main/3?sentinel_password=hunter2",
    "https://issuer.example/.well-known/jwks.json?v=1",
    "http://localhost:8080/jwks",
    "http://127.0.0.1/jwks",
    "https://[2001:db8::1]:8443/",
)
_PIECES = (
    *("://", "//", ":", "/", "?", "#", "@", "&", "=", "%", "%00", "%3F", "%2e%2e", "+", ",", "[", "]", "..", "\\", " "),
    *(
        "hunter2@",
        ":hunter2@",
        ":hun?ter2@",
        "?password=hunter2",
        "&sslpassword=hunter2",
        "&db=1",
        "&bogus=1",
        "&port=x",
    ),
    *("localhost", "127.0.0.1", "127.1", "::1", "0", "65535", "65536", "99999", "a", "\u00e9", "\u0663", "\0", "\n"),
    *("redis", "rediss", "unix", "postgresql", "sqlite", "file", "memory", "http", "https", "+cluster", "+sentinel"),
)
_PARTS = re.compile(r"[A-Za-z0-9.]+|.", re.DOTALL)
_IN_FRONT = re.compile(rf"(?<=://)[^:/?@]*:[^:/@]*{_PASSWORD}[^:/@]*@")
_AS_PARAMETER = re.compile(rf"&[a-z_]*password={_PASSWORD}")
_SECOND = timedelta(seconds=1)


def _seeds() -> Iterable[bytes]:
    return [seed.encode() for seed in _SEEDS]


def _run(data: bytes) -> None:
    url = data.decode("utf-8", "surrogateescape")
    expected = verdict_of(lambda: places.judge(url))
    found = outcome_of(lambda: _kind(url), ConfigurationError)
    check(expected[0], found[0], "the place that a URL names")
    if found[0] == "accepted":
        check(expected[1], found[1], "what is at the place")
        _look(url)
    problem = url_problem(url)
    verdict = verdict_of(lambda: http_urls.judge(url))
    if verdict != UNSURE:
        check(verdict[0], "accepted" if problem is None else "refused", "a server's URL")
    if problem is None:
        check(True, same_origin(url, url), "the origin of a URL")


def _kind(url: str) -> str:
    try:
        return kind_of(url)
    except ConfigurationError as error:
        _check_silence(str(error), url)
        raise


def _look(url: str) -> None:
    """What is done with a URL that names a place, up to the first connection."""
    match kind_of(url):
        case "redis":
            _check_silence(redacted(url), url)
            _told(lambda: repr(topology_of(url)), url)
        case "sql":
            _check_silence(redacted(url), url)
            _told(lambda: open_engine(url, timeout=_SECOND).name, url)
        case "file":
            database = make_url(str(marks_database_of(url))).database
            check(Path(unquote(url[7:]), "marks.db"), Path(str(database)), "the place of the marks")
        case _:
            pass


def _told(call: object, url: str) -> None:
    try:
        _check_silence(str(call()), url)  # type: ignore[operator]  # a function without arguments
    except ConfigurationError as error:
        _check_silence(str(error), url)


def _check_silence(told: str, url: str) -> None:
    """A password is behind a colon and in front of an @, or in a parameter of such a name; elsewhere it is none."""
    if url.count("://") > 1:
        return  # it cannot be told what is what
    in_front = [] if url.startswith("sqlite") else _IN_FRONT.findall(url)  # its files may be called anything
    query = url.partition("?")[2]
    parameters = [] if "@" in query else _AS_PARAMETER.findall(f"&{query}")  # else the ? stands in a password
    hidden = len(in_front) + len(parameters)
    if hidden and hidden == url.count(_PASSWORD) and _PASSWORD in told:
        raise Finding("a password is shown")


def _mutate(data: bytes, random: Random) -> bytes:
    parts = _PARTS.findall(data.decode("utf-8", "replace"))
    for _ in range(random.choice((1, 1, 2))):
        place = random.randint(0, len(parts))
        match random.randrange(5):
            case 0:
                del parts[place : place + 1]
            case 1:
                parts[place : place + 1] = [random.choice(_PIECES)]
            case 2:
                parts[place:place] = parts[place : place + random.randint(1, 3)]
            case 3 if random.random() < 0.3:
                return flipped(data, random)
            case _:
                parts.insert(place, random.choice(_PIECES))
    return "".join(parts).encode("utf-8", "surrogatepass")


URLS = Target(run=_run, seeds=_seeds, mutate=_mutate)
