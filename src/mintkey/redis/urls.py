"""URLs of Redis servers, also of those that are several."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

__all__ = ["FORMS", "ServerURL"]

FORMS = (
    "redis://[user:password@]host[:port][/database], unix://[user:password@]/path,"
    " redis+cluster://[user:password@]host[:port][,host[:port]…]"
    " or redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database];"
    " with TLS rediss://, rediss+cluster://, rediss+sentinel://"
)
"""What there is, for those who wrote something else."""

_PORTS = {"cluster": 6379, "sentinel": 26379}
_DATABASE = re.compile(r"/?|/[0-9]{1,9}")
_OF_SENTINEL = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True, slots=True)
class ServerURL:
    """A URL, taken apart as far as the driver does not do it.

    Attributes:
        kind: What it leads to.
        first: A URL that the driver understands: of the lone server, or of the first of several as if it were alone.
        nodes: Where to ask for the others: nodes of the cluster, or sentinels.
        service: The name of the master at its sentinels.
        sentinel: Credentials for the sentinels: the parameters `sentinel_username` and `sentinel_password`.
    """

    kind: Literal["lone", "cluster", "sentinel"]
    first: str = field(repr=False)
    nodes: Sequence[tuple[str, int]] = ()
    service: str = ""
    sentinel: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def parse(cls, url: str, /) -> "ServerURL":
        """The parts of a URL.

        Raises:
            ValueError: It is none of the `FORMS`. The message may quote parts of it.

        Example:
            >>> ServerURL.parse("redis+sentinel://:secret@one,two:5000/main/3")
            ServerURL(kind='sentinel', nodes=[('one', 26379), ('two', 5000)], service='main')
        """
        scheme, _, rest = url.partition("://")
        match scheme.partition("+"):
            case (("redis" | "rediss" | "unix") as plain, "", _):
                if plain != "unix" and _DATABASE.fullmatch(urlsplit(url).path) is None:
                    # The driver would take what it cannot read for database 0, and `/1/2` for 12.
                    raise ValueError("a database is a number")
                return cls("lone", url)
            case ("redis" | "rediss") as plain, _, ("cluster" | "sentinel") as kind:
                return cls._of_several(kind, plain, rest)
            case _:
                raise ValueError("there is no such scheme")

    @classmethod
    def _of_several(cls, kind: Literal["cluster", "sentinel"], scheme: str, rest: str) -> "ServerURL":
        parts = urlsplit(f"//{rest}")
        credentials, at, hosts = parts.netloc.rpartition("@")
        nodes = [_node(host, _PORTS[kind]) for host in hosts.split(",")]
        service, database = _service_and_database(kind, parts.path)
        parameters = parse_qsl(parts.query, keep_blank_values=True)
        others = urlencode([(name, value) for name, value in parameters if name not in _OF_SENTINEL])
        sentinel = {_OF_SENTINEL[name]: value for name, value in parameters if name in _OF_SENTINEL}
        host, port = nodes[0]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        first = f"{scheme}://{credentials}{at}{address}/{database}?{others}"
        return cls(kind, first, nodes, service, sentinel)


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query:
        raise ValueError("a host is missing")
    return parts.hostname, port if parts.port is None else parts.port


def _service_and_database(kind: str, path: str) -> tuple[str, str]:
    match (kind, *path.removeprefix("/").split("/")):
        case ("cluster", "" | "0"):
            return "", "0"
        case ("sentinel", service) if service:
            return unquote(service), "0"
        case ("sentinel", service, database) if service and database.isdecimal():
            return unquote(service), database
        case _:
            raise ValueError("a cluster has but one database; a master at sentinels has a name and perhaps a database")
