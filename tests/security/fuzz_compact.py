"""A fuzz target over the gate: `python tests/security/fuzz_compact.py /tmp/corpus tests/security/corpus -runs=1000000`.

Every input is tried as the text of a token, as a header, and as JSON. Anything but a `MintkeyError` is a finding, and
so is an authentic token that nobody made, and JSON that is read in two ways: with orjson and without.
"""

import sys
from unittest import mock

import atheris  # type: ignore[import-untyped]  # it ships no types

with atheris.instrument_imports(include=["mintkey.claims.strict_json", "mintkey.jose"]):
    from mintkey import speed
    from mintkey.claims import strict_json
    from mintkey.errors import MintkeyError
    from mintkey.jose import verify_compact
    from mintkey.jose.base64url import encode
    from mintkey.jose.compact import HeaderCache
    from mintkey.jose.jwk import load_jwk
    from mintkey.jose.prepared import verification_key
    from tests.support.compact import authenticate, parse, remember

# RFC 7515, appendix A.1. Its token has no kid, so for `parse` and `authenticate` nothing at all is authentic.
JWK = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}
KEY = verification_key(load_jwk(JWK, source="fuzz", algorithm="HS256", kid="1"))
PAYLOAD = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'


class Finding(Exception):  # noqa: N818 - it is what a fuzzer calls it
    """Something that must not happen."""


def try_token(text: str) -> None:
    cache = HeaderCache(max_entries=4)
    for allowed in ((), ("tenant", "crit", "x5t")):
        try:
            parts = parse(text, max_bytes=4096, allowed_headers=allowed, cache=cache)
            remember(cache, parts)
            authenticate(parts, KEY)
        except MintkeyError:
            continue
        raise Finding("a forged token is authentic")
    try:
        payload = verify_compact(text, JWK, algorithms=["HS256"], max_bytes=4096)
    except MintkeyError:
        return
    if payload != PAYLOAD:
        raise Finding("a forged token verifies")


def read(data: bytes) -> str:
    """The value with all its types, or the reason."""
    try:
        return repr(strict_json.loads(data))
    except strict_json.StrictJSONError as error:
        return f"refused: {error}"


def fuzz(data: bytes) -> None:
    """One execution."""
    for text in {
        data.decode("latin-1"),
        data.decode("utf-8", "surrogateescape"),
        f"{encode(data)}.e30.{encode(data[:64])}",
    }:
        try_token(text)
    with mock.patch.object(speed, "imported", return_value=None):
        plain = read(data)
    if read(data) != plain:
        raise Finding("orjson makes a difference")
    try:
        found = strict_json.loads(data)
    except strict_json.StrictJSONError:
        return
    if strict_json.loads(strict_json.dumps(found)) != found:
        raise Finding("what was written is not read")


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
