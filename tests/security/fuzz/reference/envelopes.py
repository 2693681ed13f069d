"""Which entries of a stream are events: the tag by RFC 2104 and RFC 5869, and what stands in the message."""

import hashlib
import hmac
from typing import Any

from tests.security.fuzz.reference import base64url, json_text
from tests.security.fuzz.reference.verdict import Refused

__all__ = ["derived", "judge", "tag_of"]

_DOMAIN = b"mintkey event v1\0"
_MOST_BYTES = 65_536
_LAST_INSTANT = 253_402_300_799.999


def derived(key: bytes, about: bytes) -> bytes:
    """32 bytes out of a key, for one purpose (RFC 5869 §2)."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, about + b"\1", hashlib.sha256).digest()


def tag_of(key: bytes, stream: bytes, message: bytes) -> bytes:
    """The tag of a message in a stream."""
    statement = _DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in (stream, message))
    return base64url.encode(hmac.new(key, statement, hashlib.sha256).digest()).encode()


def judge(key: bytes, stream: bytes, message: bytes, tag: bytes, kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The members of an envelope.

    Args:
        key: The one that tags are made with.
        stream: The name of the stream.
        message: What was sent.
        tag: What vouches for it.
        kinds: For each type of event the types of its members.
    """
    if len(message) > _MOST_BYTES or tag_of(key, stream, message) != tag:
        raise Refused("forged")
    try:
        members = json_text.read(message)
    except Refused:
        raise Refused("unreadable") from None
    needed: dict[str, set[type]] = {"id": {str}, "type": {str}, "at": {int, float}, "event": {dict}}
    if any(type(members.get(name)) not in types for name, types in needed.items()):
        raise Refused("unreadable")
    if members["type"] not in kinds:
        raise Refused("unknown_type")
    event: dict[str, Any] = members["event"]
    for name, (is_needed, allowed) in kinds[members["type"]].items():
        if (is_needed and name not in event) or (name in event and not allowed(event[name])):
            raise Refused("unreadable")
    if not abs(members["at"]) <= _LAST_INSTANT:
        raise Refused("unreadable")
    return members
