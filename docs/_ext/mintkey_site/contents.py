"""The table of contents is what an index page links to, in that order: one list, which people read on a forge too."""

import re
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["setup"]

_PAGE = re.compile(r"\]\(([\w/.-]+)\.md\)")


def setup(app: Sphinx) -> None:
    """Load it."""
    app.connect("source-read", _add_contents)


def _add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    if name.rsplit("/", 1)[-1] != "index":
        return
    place = Path(app.srcdir, name).parent
    # What is not below the index is in the contents of another one; a link to nothing is warned of as such.
    pages = dict.fromkeys(
        page for page in _PAGE.findall(source[0]) if not page.startswith("../") and (place / f"{page}.md").exists()
    )
    source[0] += "\n".join(["", "```{toctree}", ":hidden:", "", *pages, "```", ""])
