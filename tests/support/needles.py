"""Looking for secrets in whatever text or bytes there are, in every spelling that a leak may have."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from mintkey.jose import base64url

__all__ = ["Needles", "bearing_members", "private_members", "spellings"]

_WINDOW = 16
"""So many characters of a spelling in a row are a leak: a token that is cut off, a part of a key."""

_BETWEEN = re.compile(r"[\s:,\\'\"]|0x|\bn(?=[A-Za-z0-9+/]{64})")
"""What tools put between the characters of a secret: line breaks of PEM, colons of fingerprints, escapes, commas."""


def spellings(secret: bytes, /) -> Iterator[str]:
    """The ways in which bytes may be written; of base64, at each of the three offsets."""
    text = secret.decode("latin-1")
    yield text
    yield repr(secret)[2:-1]
    yield text.encode("unicode_escape").decode()
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield text[::-1]
    yield secret.hex()
    yield secret.hex().upper()
    yield str(list(secret))[1:-1]
    yield str(int.from_bytes(secret, "big"))
    yield str(int.from_bytes(secret, "little"))
    encoders: tuple[Callable[[bytes], bytes], ...] = (base64.b64encode, base64.urlsafe_b64encode)
    for encode in encoders:
        for offset in range(3):
            # What the characters at both ends say depends on the neighbours.
            yield encode(bytes(offset) + secret)[4:-4].decode()
    yield base64.b32encode(secret)[:-8].decode()
    yield base64.b85encode(secret)[:-5].decode()


class Needles:
    """Secrets by name, to be looked for.

    Args:
        secrets: The secrets, as text or as bytes.
    """

    def __init__(self, secrets: Mapping[str, str | bytes], /) -> None:
        self._windows: dict[str, str] = {}
        for name, secret in secrets.items():
            self.add(name, secret)

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, name: str, secret: str | bytes, /) -> None:
        """Look for this one, too."""
        data = secret.encode() if isinstance(secret, str) else secret
        for spelling in spellings(data):
            plain = _BETWEEN.sub("", spelling)
            self._windows |= dict.fromkeys(_windows_of(plain), name)

    def found_in(self, haystack: str | bytes, /) -> set[str]:
        """The names of the secrets of which there is a piece."""
        text = haystack.decode("latin-1") if isinstance(haystack, bytes) else haystack
        found: set[str] = set()
        for straw in {text, _BETWEEN.sub("", text)}:
            found.update(filter(None, map(self._windows.get, _windows_of(straw))))
        return found


def _windows_of(text: str) -> Iterator[str]:
    return (text[start : start + _WINDOW] for start in range(len(text) - _WINDOW + 1))


def private_members(jwk: Mapping[str, Any], /) -> dict[str, str | bytes]:
    """What of a JWK nobody may see, by name: as text, which may be encoded again, and as the bytes it stands for."""
    found: dict[str, str | bytes] = {}
    for name in sorted({"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys()):
        found |= {f"{jwk['alg']} {name}": jwk[name], f"{jwk['alg']} {name}, decoded": base64url.decode(jwk[name])}
    return found


def bearing_members(name: str, token: str, /) -> dict[str, str | bytes]:
    """What of a token nobody may see, by name: its payload and its signature. The header is the same in thousands."""
    _, payload, signature = token.split(".")
    return {f"payload of {name}": payload, f"signature of {name}": signature}
