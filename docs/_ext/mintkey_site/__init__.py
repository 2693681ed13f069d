"""What our site does beyond Sphinx: pages stay plain Markdown, docstrings too, and the reference is made from the code.

| module | what it does |
|---|---|
| `contents` | makes the table of contents of what index pages link to |
| `repository` | leads links to files that are no pages somewhere, or takes them away |
| `linked_names` | links public names that are written as code |
| `docstrings` | reads docstrings as the Markdown that they are |
| `foreign` | knows which names of signatures are nobody's business here |
| `room` | the directive `room`: public names of a module |
| `error_tables` | the directives `error-tree` and `reasons` |
| `settings_table` | the directive `settings` |
| `command_line` | the directive `command-line` |
"""

from sphinx.application import Sphinx

from mintkey_site import (
    command_line,
    contents,
    docstrings,
    error_tables,
    foreign,
    linked_names,
    repository,
    room,
    settings_table,
)

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls to load all of it."""
    for module in (
        repository,
        contents,
        linked_names,
        docstrings,
        foreign,
        room,
        error_tables,
        settings_table,
        command_line,
    ):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
