"""A small form that was posted, read to a limit."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Message

__all__ = ["is_from_another_site", "posted"]

_LARGEST = 32_768
"""Bytes: twice the longest token that a service reads unless it is told otherwise."""

_MEDIA_TYPE = "application/x-www-form-urlencoded"


_OURS = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of what our own page sends, and of what a user sends by himself (W3C Fetch Metadata)."""


def is_from_another_site(request: Request, /) -> bool:
    """Whether a page of another origin sent a request; what is no browser does not say, and is let through."""
    return request.headers.get("sec-fetch-site", "none") not in _OURS


async def posted(request: Request, /) -> tuple[Mapping[str, str], Request]:
    """The fields of a form, and the request with its body still to be read.

    What is no small form has no fields: another media type, more than 32 KiB, a field that comes twice.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _read(request) if media_type == _MEDIA_TYPE else b""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError:  # UnicodeDecodeError is one
        pairs = []
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}, _with_body(request, body)


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST:
            return b""
        parts.append(part)
    return b"".join(parts)


def _with_body(request: Request, body: bytes) -> Request:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return Request(request.scope, receive)
