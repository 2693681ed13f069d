"""What key pairs are called on a token: a label that says what they are for, and a PKCS#11 URI that finds them."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from mintkey.errors import KeyProviderError
from mintkey.keys.custodians.pkcs11_api import Attribute

__all__ = ["Label", "attributes_of", "uri_of"]

_OURS = "mintkey"
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Label:
    """What is written on a key pair of ours, on the token.

    Attributes:
        ring: The ring for which it was made.
        made_at: When, in seconds since the epoch; tokens do not remember that.
        kid: Its key id; empty while it is being made, and where a token lets no label be changed.
    """

    ring: str
    made_at: int
    kid: str = ""

    def __str__(self) -> str:
        return ":".join((_OURS, quote(self.ring, safe=""), str(self.made_at), self.kid))

    @classmethod
    def of(cls, text: str, /) -> "Label | None":
        """The label with this text; None: it is not one of ours."""
        match text.split(":"):
            case [ours, ring, made_at, kid] if ours == _OURS and made_at.isdecimal():
                return cls(unquote_to_bytes(ring).decode(errors="replace"), int(made_at), kid)
            case _:
                return None


def uri_of(*, key_id: bytes, label: str) -> str:
    """The name of a key on its token, as a PKCS#11 URI (RFC 7512): by its id, or by its label if it has no id."""
    if key_id:
        return "pkcs11:id=" + "".join(f"%{byte:02X}" for byte in key_id)
    return "pkcs11:object=" + quote(label, safe="")


def attributes_of(uri: str, /) -> dict[Attribute, Any]:
    """By which attributes to look for a key.

    Raises:
        KeyProviderError: This is no name of a key (`keys_unavailable`).
    """
    scheme, _, path = uri.partition(":")
    names = [part.partition("=")[::2] for part in path.split(";")]
    wanted: dict[Attribute, Any] = {}
    for name, value in names:
        if scheme != "pkcs11" or name not in {"id", "object"} or not _ESCAPED.fullmatch(value):
            raise KeyProviderError("the handle is not that of a key on a token")
        octets = unquote_to_bytes(value)
        if name == "id":
            wanted[Attribute.ID] = octets
        else:
            wanted[Attribute.LABEL] = octets.decode(errors="replace")
    return wanted
