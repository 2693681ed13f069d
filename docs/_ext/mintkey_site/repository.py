"""Pages link to files of the repository that are no pages, which is good on a forge. Here these links are led."""

import re
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["led", "setup"]

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[\w/.-]+)(?:#[\w-]*)?\)")

_PAGES = {"CHANGELOG.md": "changelog.md", "README.md": "index.md"}
"""What is a page here as well, under another name."""


def setup(app: Sphinx) -> None:
    """Load it."""
    app.connect("source-read", _lead_links)


def _lead_links(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = led(source[0], page=Path(app.srcdir, f"{name}.md"), docs=Path(app.srcdir))


def led(text: str, /, *, page: Path, docs: Path) -> str:
    """A page whose links out of the documentation lead to what is in it, or are text. A link to nothing stays.

    Args:
        text: The page, in Markdown.
        page: Where it is.
        docs: Where all pages are.
    """

    def lead(link: re.Match[str]) -> str:
        target = (page.parent / link["target"]).resolve()
        if target.is_relative_to(docs) or not target.exists():
            return link[0]
        known = _PAGES.get(target.name) if target.parent == docs.parent else None
        return link["text"] if known is None else f"[{link['text']}](/{known})"

    return _LINK.sub(lead, text)
