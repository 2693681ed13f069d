"""The corpus at the door of a web application: the right status, one challenge, and nothing of the token."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mintkey import Reason, TokenVerifier, VerifiedToken
from mintkey.integrations.starlette import TokenGuard
from mintkey.integrations.web.magic_link import MagicLinkEndpoint
from mintkey.testing import FakeClock
from tests.security.attacks.case import LOGIN, Case
from tests.security.attacks.corpus import cases, families_of, forge_of
from tests.security.attacks.forge import ISSUER, NOW
from tests.security.attacks.trial import Witness, keys_of

FAMILIES = families_of("EdDSA")
CHALLENGE = 'Bearer error="invalid_token"'
UNSEEN = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


@pytest.fixture(scope="module")
def app() -> Starlette:
    store, clock = Witness(), FakeClock(datetime.fromtimestamp(NOW, UTC))
    tokens = TokenVerifier(issuer=ISSUER, keys=keys_of(forge_of("EdDSA")), replay=store, clock=clock)
    guard = TokenGuard(LOGIN, tokens=tokens)

    async def me(request: Request) -> Response:
        return JSONResponse({"subject": (await guard(request)).subject})

    async def sign_in(_request: Request, used: VerifiedToken[Any]) -> Response:
        return JSONResponse({"subject": used.subject})

    link = MagicLinkEndpoint(LOGIN, on_success=sign_in, tokens=tokens)
    return Starlette(routes=[Route("/me", me), Route("/magic", link.answer)])


@pytest.mark.parametrize("family", FAMILIES)
async def test_as_a_bearer_token(app: Starlette, family: str) -> None:
    for case, raw in of_text(family):
        status, headers, body = await ask(app, "/me", authorization=b"Bearer " + raw)
        # Spaces around a token belong to the field, and nothing at all is no token.
        is_good = case.reason is None or raw.strip(b" ") == forge_of("EdDSA").good.encode()
        assert (case.name, status) == (case.name, 200 if is_good else 401)
        if not is_good:
            assert headers["www-authenticate"] == (CHALLENGE if raw.strip(b" ") else "Bearer")
            assert not leaks(raw, headers, body), case.name


@pytest.mark.parametrize("family", FAMILIES)
async def test_as_a_link(app: Starlette, family: str) -> None:
    for case, raw in of_text(family):
        status, headers, body = await ask(app, "/magic", query=b"token=" + quote_from_bytes(raw, safe="").encode())
        expected = 200 if case.reason is None else 410 if case.reason is Reason.EXPIRED else 400
        assert (case.name, status) == (case.name, expected)
        assert headers.items() >= UNSEEN.items()
        if case.reason is None:
            assert b'name="token" value="' + raw + b'"' in body  # a good token has nothing to be escaped
        else:
            assert not leaks(raw, headers, body), case.name


def of_text(family: str) -> Iterator[tuple[Case, bytes]]:
    """What can be sent: text, as whatever bytes. A line break ends a field, so no server gets that far."""
    for case in cases("EdDSA", family):
        if isinstance(case.token, str) and case.purpose is LOGIN and not case.scopes:
            raw = case.token.encode("utf-8", "surrogatepass")
            if b"\r" not in raw and b"\n" not in raw:
                yield case, raw


def leaks(raw: bytes, headers: dict[str, str], body: bytes) -> bool:
    """Whether the answer has twelve bytes of the token."""
    answer = body + repr(headers).encode()
    return any(raw[start : start + 12] in answer for start in range(0, min(len(raw), 2000) - 12, 6))


async def ask(
    app: Starlette, path: str, *, authorization: bytes | None = None, query: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """A GET as a server passes it on, past every client that would refuse to send it."""
    sent: list[Any] = []
    fields = [(b"host", b"app.example"), *([] if authorization is None else [(b"authorization", authorization)])]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": fields,
        "server": ("app.example", 443),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return start["status"], headers, b"".join(message.get("body", b"") for message in rest)
