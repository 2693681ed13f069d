"""Which URLs name a place for keys and marks, by the table in the documentation of `TokenService.from_url`."""

from urllib.parse import unquote

from tests.security.fuzz.reference.verdict import Refused

__all__ = ["judge"]

_WITH_SOMETHING_BEHIND = {
    "sql": {"sqlite", "postgres", "postgresql"},
    "redis": {"unix", *(f"{base}{kind}" for base in ("redis", "rediss") for kind in ("", "+cluster", "+sentinel"))},
}
_DRIVERS = ("sqlite+", "postgres+", "postgresql+")


def judge(url: str) -> str:
    """What keeps them there."""
    place = url.find("://")
    if place < 0:
        raise Refused("no URL")
    scheme, rest = url[:place], url[place + 3 :]
    if scheme == "memory":
        return "memory"
    if scheme == "file" and rest.startswith("/") and rest != "/" and not {"?", "\0"} & set(unquote(rest)):
        return "file"
    for kind, schemes in _WITH_SOMETHING_BEHIND.items():
        if rest and (scheme in schemes or (kind == "sql" and scheme.startswith(_DRIVERS) and scheme not in _DRIVERS)):
            return kind
    raise Refused("no such place")
