"""What people see: pages without script and without anything from elsewhere."""

from html import escape

from fastapi.responses import HTMLResponse
from starlette.background import BackgroundTask

from mintkey.integrations.fastapi import MagicLinkTexts, Words
from sign_in.links import Message
from sign_in.sessions import User

LINK_TEXTS = MagicLinkTexts(
    confirm=Words("Sign in", "Press the button and you are in. The link works once."), button="Sign in"
)

_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

_HEADERS = {
    "Cache-Control": "no-store",  # who is signed in is nobody else's business, and no longer so after signing out
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Page(HTMLResponse):
    """A page: nothing runs on it, nothing is fetched from elsewhere, nobody frames it and nobody keeps it."""

    def __init__(self, content: str, status_code: int = 200, background: BackgroundTask | None = None) -> None:
        super().__init__(content, status_code, _HEADERS, background=background)


def sign_in(email: str = "", *, problem: str = "") -> str:
    """Asks for an address."""
    described = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    told = f'<p id="problem" class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Sign in",
        f"""<p>No password: we send you a link that signs you in.</p>
<form method="post" action="/sign-in">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="{escape(email)}" autocomplete="email" required{described}>
{told}
<button type="submit">Send me a link</button>
</form>""",
    )


def sent(message: Message, *, is_shown: bool) -> str:
    """Says that a message was sent, and shows it where nothing is really sent."""
    shown = f"""<section class="outbox" aria-labelledby="outbox">
<h2 id="outbox">Development outbox</h2>
<p>Nothing is sent from here. This would be the message:</p>
<p><a href="{escape(message.link)}">Sign in as {escape(message.to)}</a></p>
</section>"""
    return _page(
        "Look into your mail",
        f"""<p>We sent a link to <strong>{escape(message.to)}</strong>. It works once, for ten minutes.</p>
{shown if is_shown else ""}
<p><a href="/">Another address</a></p>""",
    )


def signed_in(user: User) -> str:
    """Says who is signed in."""
    return _page(
        "You are signed in",
        f"""<dl>
<dt>As</dt><dd>{escape(user.subject or "")}</dd>
<dt>Access token until</dt><dd>{user.expires_at:%H:%M:%S} UTC, then a new one comes by itself</dd>
<dt>Signed by key</dt><dd><code>{escape(user.key_id)}</code>, one of <a href="/.well-known/jwks.json">these</a></dd>
</dl>
<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>""",
    )


def away() -> str:
    """Says that something of ours is away."""
    return _page("One moment, please", '<p>Something of ours is away. <a href="/">Try again</a> in a few seconds.</p>')


def _page(heading: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
"""
