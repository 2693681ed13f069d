"""How one gets in: a link that works once, sent to an address."""

import logging
import re
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, Response

from mintkey import TokenService, presets
from mintkey.integrations.fastapi import SameBrowser

LOGIN = presets.MAGIC_LINK.replace(audience="sign-in-example", required=["sub"])
SAME_BROWSER = SameBrowser(LOGIN)

_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,188}")

# uvicorn shows what this logger says, whatever else is configured.
log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody gets who wants to sign in."""

    to: str
    link: str


class Mailer(Protocol):
    """Whatever sends messages."""

    async def send(self, message: Message, /) -> None:
        """Send one, or hand it to whoever does."""


class Outbox:
    """Sends nothing: the message stands in the log and on the page, for whoever tries the example on this machine."""

    async def send(self, message: Message, /) -> None:
        """Show it in the log."""
        log.info("a message to %s: %s", message.to, message.link)


class Links:
    """Sends links to whoever asks for one."""

    def __init__(self, tokens: TokenService, mailer: Mailer, *, base: str, same_browser: bool) -> None:
        self._tokens = tokens
        self._mailer = mailer
        self._base = base
        self._same_browser = same_browser

    async def send(self, address: str, request: Request, response: Response) -> Message:
        """Send a link to this address.

        Whoever reads mail there is its user. With accounts of your own: look the address up, make the id of the account
        the subject, and answer in the same way when there is none.
        """
        token = await self._tokens.mint(LOGIN, subject=address)
        if self._same_browser:
            await SAME_BROWSER.bind(request, response, token, self._tokens)
        # Our own name, and not the Host of the request: that is whatever the one who asks says.
        message = Message(address, f"{self._base}/magic?token={token}")
        await self._mailer.send(message)
        return message


def address_in(text: str) -> str | None:
    """The address that somebody typed; None: it is none. Whether anybody reads mail there, the link finds out."""
    address = text.strip().lower()
    return address if _ADDRESS.fullmatch(address) else None
