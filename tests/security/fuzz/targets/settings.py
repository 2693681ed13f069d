"""Settings, as whoever writes an environment may spell them."""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from mintkey.errors import ConfigurationError
from mintkey.places import kind_of
from mintkey.settings.contradictions import contradictions
from mintkey.settings.fixed_keys import fixed_keys
from mintkey.settings.lookup import Lookup
from mintkey.settings.spelling import misspelt
from mintkey.settings.table import SETTINGS as TABLE
from mintkey.settings.table import variable_of
from tests.security.fuzz.mutating import flipped
from tests.security.fuzz.reference import settings as reference
from tests.security.fuzz.reference.verdict import Refused
from tests.security.fuzz.target import SEPARATOR, Finding, Target, check, exact, outcome_of, verdict_of

__all__ = ["SETTINGS"]

_SECRET = "Q29ycmVjdEhvcnNlQmF0dGVyeVN0YXBsZTEyMzQ1Njc"  # 32 bytes, in base64url
_OPEN = ("issuer", "audience", "ring", "active_kid", "store")  # of the last one the password is hidden: target `urls`
_SEEDS: tuple[Mapping[str, str], ...] = (
    {"STORE": "redis://cache:6379/0", "ISSUER": "https://a.example", "SEAL_KEYS": f"{_SECRET},\n{_SECRET}"},
    {"STORE": "sqlite:///a.db", "ISSUER": "a", "RING": "payments", "ROTATE_EVERY": "1d2h3m4s", "MAX_MINTS": "1000000"},
    {"STORE": "memory://", "ROTATE_EVERY": "never", "PUBLISH_AHEAD": "0", "PREVIOUS_TTL": "7d", "ALGORITHM": "ES256"},
    {"KEYS": f'{{"kty":"oct","k":"{_SECRET}","alg":"HS256","kid":"a"}}', "ACTIVE_KID": "a", "AUDIENCE": "web, app,"},
    {
        "KEYS": "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n"
        "-----END PUBLIC KEY-----"
    },
    {
        "REFRESH_INTERVAL": "5s",
        "OUTAGE_TOLERANCE": "10m",
        "MAX_CLOCK_SKEW": "0",
        "LIFETIME": "90s",
        "KEYS": "/run/keys",
    },
)
_NAMES = tuple(name.upper() for name in TABLE)
_TEXTS = (
    *("", " ", "0", "1", "01", "-1", "1e3", "999999999999999999", "9999999999999999999", "\u0661", "1_000", " 7 "),
    *(
        "0s",
        "1s",
        "1m1h",
        "1h1h",
        "9999999d",
        "10000000d",
        "999999999s",
        "1.5h",
        "\u0661s",
        "1 d",
        "never",
        "Never",
        "d",
    ),
    *("HS256", "hs256", "Ed25519", "none", "changeme", "<key>", "${KEY}", "keys.pem", "a,b", ",", "a,,b", "{}", "[]"),
    *(
        "memory://",
        "redis://u:hunter2@h?p",
        "file:///a",
        "x" * 200,
        "-----BEGIN",
        '{"keys":[]}',
        '{"keys":{}}',
        _SECRET,
    ),
)


def _duration(*words: str) -> Callable[[str], Any]:
    return lambda text: None if text.strip() in words else reference.duration(text)


def _one_of(*words: str) -> Callable[[str], Any]:
    def read(text: str) -> str:
        if text.strip() not in words:
            raise Refused("word")
        return text.strip()

    return read


# Of the others the text itself is the value, or what stands in it is the business of other targets.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "rotate_every": _duration("never"),
    "lifetime": _duration(),
    "previous_ttl": _duration(),
    "refresh_interval": _duration(),
    "outage_tolerance": _duration(),
    "publish_ahead": _duration("0"),
    "max_clock_skew": _duration("0"),
    "max_mints": reference.count,
    "audience": reference.names,
    "algorithm": _one_of(*"EdDSA ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512 HS256 HS384 HS512".split()),
    "ring": str.strip,
    "issuer": str.strip,
    "active_kid": str.strip,
}


def _seeds() -> Iterable[bytes]:
    return [SEPARATOR.join(f"{name}={text}".encode() for name, text in seed.items()) for seed in _SEEDS]


def _environ(data: bytes) -> dict[str, str]:
    """Variables; none that names a file, which would make a verdict depend on the machine."""
    pairs = (part.decode("utf-8", "surrogateescape").partition("=") for part in data.split(SEPARATOR))
    return {
        variable_of(name): text for name, _, text in pairs if name.isidentifier() and not name.upper().endswith("_FILE")
    }


def _run(data: bytes) -> None:
    environ = _environ(data)
    for name, read in _READERS.items():
        text = environ.get(variable_of(name), "")
        if text.strip():
            _compare(name, text, read)
    problems: list[str] = [*misspelt(environ)]
    lookup = Lookup(environ, problems)
    values = {name: lookup.value(setting) for name, setting in TABLE.items()}
    given = [name for name, origin in lookup.origins.items() if origin != "default"]
    problems += contradictions(values, given=given)
    shown = [setting.show(values[name]) for name, setting in TABLE.items() if name != "store"]
    if (
        values["store"] is not None
        and outcome_of(lambda: kind_of(values["store"]), ConfigurationError)[0] == "accepted"
    ):
        shown.append(TABLE["store"].show(values["store"]))
    if values["keys"] is not None:
        _keys(values, problems)
    _check_silence(environ, [*problems, *shown])


def _compare(name: str, text: str, read: Callable[[str], Any]) -> None:
    setting = TABLE[name]
    expected = verdict_of(lambda: read(text))
    found = outcome_of(lambda: setting.read(text), ValueError)
    check(expected[0], found[0], name)
    if expected[0] == "accepted" and expected[1] != exact(None):
        check(expected[1], found[1], f"the value of {name}")


def _keys(values: Mapping[str, Any], problems: list[str]) -> None:
    """Keys that are in the text itself are looked at at once; a file is not read before it is needed."""
    try:
        fixed_keys(values["keys"], active_kid=values["active_kid"])
    except ConfigurationError as error:
        problems.append(str(error))


def _check_silence(environ: Mapping[str, str], told: Iterable[str]) -> None:
    """Nothing that is told quotes a secret, unless it stands where everybody may look."""
    in_the_open = "".join(environ.get(variable_of(name), "") for name in _OPEN)
    if _SECRET not in in_the_open and any(_SECRET in sentence for sentence in told):
        raise Finding("a secret is told")


def _mutate(data: bytes, random: Random) -> bytes:
    parts = data.split(SEPARATOR)
    place = random.randrange(len(parts))
    name, _, text = parts[place].partition(b"=")
    match random.randrange(6):
        case 0:
            del parts[place]
        case 1:
            parts[place] = random.choice(_NAMES).encode() + b"=" + text
        case 2:
            parts.append(f"{random.choice(_NAMES)}={random.choice(_TEXTS)}".encode())
        case 3:
            parts[place] = name + b"=" + flipped(text, random)
        case 4:
            parts.extend(random.choice(list(_seeds())).split(SEPARATOR))
        case _:
            parts[place] = name + b"=" + random.choice(_TEXTS).encode()
    return SEPARATOR.join(parts)


SETTINGS = Target(run=_run, seeds=_seeds, mutate=_mutate)
