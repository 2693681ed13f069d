"""The pages behind a link: plain, without script and without anything from elsewhere, for every reader and browser."""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

__all__ = ["UNSEEN", "MagicLinkTexts", "Words", "confirmation", "headers", "message"]

_STYLE = """
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
body { margin: 0; padding: 1.5rem; min-height: 100vh; box-sizing: border-box; display: grid; place-content: center }
main { max-width: 28rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
button { font: inherit; font-weight: 600; padding: .75rem 1.5rem; border: 2px solid; border-radius: .5rem;
  background: CanvasText; color: Canvas; cursor: pointer }
:is(a, button):focus-visible { outline: 3px solid Highlight; outline-offset: 3px }
""".strip()


@dataclass(frozen=True, slots=True)
class Words:
    """What one page says: plain text, no HTML.

    Example:
        >>> Words("One more step", "Press the button to go on.").heading
        'One more step'
    """

    heading: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MagicLinkTexts:
    """What the pages behind a link say, in whatever language.

    Attributes:
        language: Theirs (BCP 47), for screen readers.
        confirm: The page with the button.
        button: What the button says.
        over: The link was used, or is too old, or was revoked.
        broken: The link is not complete, or not one of ours.
        in_use: Somebody is using the link at this moment.
        unavailable: Nobody can tell right now.
        other_browser: It was asked for in another browser.
        other_site: Another site pressed the button.
        again: What the link to `new_link` says.

    Example:
        >>> MagicLinkTexts(language="de", button="Anmelden").button
        'Anmelden'
    """

    language: str = "en"
    confirm: Words = Words("One more step", "Press the button to go on. The link works once.")
    button: str = "Continue"
    over: Words = Words(
        "This link no longer works", "It was used already, or it is too old. Ask for a new one and use the latest."
    )
    broken: Words = Words(
        "This link does not work", "It is not complete. Copy all of it from the message, or ask for a new one."
    )
    in_use: Words = Words("This link is in use", "It is being used at this very moment. Try again in a few seconds.")
    unavailable: Words = Words(
        "We cannot check this link right now", "That is not the link's fault. Try again in a few seconds."
    )
    other_browser: Words = Words(
        "Open this link where you asked for it",
        "It works in the browser in which you asked for it, and nowhere else. If you asked more than once, use the "
        "latest link.",
    )
    other_site: Words = Words("Open the link itself", "Another site sent you here. Use the link in the message.")
    again: str = "Ask for a new link"


def confirmation(token: str, texts: MagicLinkTexts, /) -> str:
    """The page with the button, which posts the token to the address that the page itself has."""
    # An action of nothing but "?" is this very address, behind whatever proxy, and without the token in the query.
    form = (
        '<form method="post" action="?">'
        f'<input type="hidden" name="token" value="{escape(token)}">'
        f'<button type="submit">{escape(texts.button)}</button>'
        "</form>"
    )
    return _page(texts.confirm, form, language=texts.language)


def message(words: Words, texts: MagicLinkTexts, /, *, new_link: str | None = None) -> str:
    """A page that says why it ends here, and where to ask for a new link, if there is a place."""
    link = "" if new_link is None else f'<p><a href="{escape(new_link)}">{escape(texts.again)}</a></p>'
    return _page(words, link, language=texts.language)


UNSEEN: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
    }
)
"""For every answer at the address of a link: kept nowhere, told to nobody."""


def headers(*, leads_to: Collection[str] = ()) -> Mapping[str, str]:
    """The header fields of these pages: nothing runs, nothing is fetched, and nobody frames them.

    Args:
        leads_to: Origins that the answer to the form may redirect to; browsers hold `form-action` against these too.
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": " ".join(("'self'", *leads_to)),
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        **UNSEEN,
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def _page(words: Words, more: str, /, *, language: str) -> str:
    heading = escape(words.heading)
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{heading}</h1>\n<p>{escape(words.text)}</p>\n{more}\n</main>\n</body>\n</html>\n"
    )
