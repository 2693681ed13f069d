"""The directive `settings`: every setting, from the table that the library reads them by."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mintkey.settings.table import SETTINGS, variable_of
from mintkey_site.tables import markdown, table

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Load it."""
    app.add_directive("settings", Settings)


class Settings(SphinxDirective):
    """The variables, what holds without them, and what each is for."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        rows = [
            [
                f"`{variable_of(name)}`",
                setting.show(setting.default),
                "yes" if setting.is_secret else "",
                "yes" if setting.is_of_ring else "",
                setting.about,
            ]
            for name, setting in SETTINGS.items()
        ]
        return markdown(self, table(["variable", "default", "secret", "of a ring", "what it is for"], rows))
