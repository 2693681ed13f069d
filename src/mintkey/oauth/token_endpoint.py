"""One request to a token endpoint (RFC 6749 §3.2): a form is posted, a token or a typed error comes back."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

import anyio

from mintkey.clock import Clock
from mintkey.errors import Reason, TokenEndpointError
from mintkey.http.base import HttpRequest, HttpResponse, HttpTransport, TransportError
from mintkey.http.caching import retry_after_of
from mintkey.oauth.lease import Grant
from mintkey.oauth.token_response import TokenResponseError, read_error, read_grant

__all__ = ["TokenEndpoint"]

_MAX_BYTES = 65_536
_OK, _SOME_3XX, _SOME_4XX, _SOME_5XX = 200, 300, 400, 500
_BUSY = frozenset({408, 425, 429})
"""Answers that say "not now", although they begin with a 4."""


class TokenEndpoint:
    """A token endpoint.

    Args:
        url: Its URL, checked.
        transport: Sends the requests; follows no redirect, as credentials go where they are meant to go and no further.
        timeout: How long one request may take from its beginning to the last byte of the answer.
        clock: Where time comes from.
    """

    def __init__(self, url: str, /, *, transport: HttpTransport, timeout: timedelta, clock: Clock) -> None:
        self._url = url
        self._transport = transport
        self._timeout = timeout.total_seconds()
        self._clock = clock

    async def ask(self, form: Mapping[str, str], headers: Mapping[str, str], /) -> Grant:
        """The token that it gives for this form.

        Raises:
            TokenEndpointError: No answer, not in time, or none that we can use (`token_endpoint_unavailable`); or a
                refusal, with its `status` and its registered `error` code in the details (`token_endpoint_rejected`).
        """
        request = HttpRequest(
            url=self._url,
            method="POST",
            headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded", **headers},
            body=urlencode(form).encode("ascii"),
            max_bytes=_MAX_BYTES,
        )
        try:
            with anyio.fail_after(self._timeout):
                response = await self._transport.send(request)
        except TimeoutError:
            raise TokenEndpointError(f"the token endpoint did not answer within {self._timeout:g} seconds") from None
        except TransportError as error:
            raise TokenEndpointError(f"the token endpoint cannot be reached: {error}") from error
        except Exception as error:
            # A transport that somebody brought may raise anything; what it says may quote anything.
            raise TokenEndpointError(f"the transport failed: {type(error).__name__}") from error
        if response.status != _OK:
            raise self._refusal(response)
        try:
            return read_grant(response.body)
        except TokenResponseError as error:
            raise TokenEndpointError(f"the token endpoint's answer is of no use: {error}") from error

    def _refusal(self, response: HttpResponse) -> TokenEndpointError:
        status = response.status
        details: dict[str, object] = {"status": status}
        if _SOME_4XX <= status < _SOME_5XX and status not in _BUSY:
            code = read_error(response.body)
            if code is not None:
                details["error"] = code
            return TokenEndpointError(
                f"the token endpoint refused us with status {status}{f' ({code})' if code else ''}",
                reason=Reason.TOKEN_ENDPOINT_REJECTED,
                details=details,
            )
        pause = retry_after_of(response.headers, now=self._clock.time())
        if pause is not None:
            details["retry_after"] = pause
        is_redirect = _SOME_3XX <= status < _SOME_4XX
        hint = ", but credentials are sent nowhere else: give the URL that it redirects to" if is_redirect else ""
        return TokenEndpointError(f"the token endpoint answered with status {status}{hint}", details=details)
