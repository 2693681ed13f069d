"""Tables and sections that directives make: Markdown, parsed where the directive stands."""

from collections.abc import Iterable, Sequence

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

__all__ = ["markdown", "section", "table"]


def markdown(directive: SphinxDirective, text: str, /) -> list[nodes.Node]:
    """What a text is.

    Args:
        directive: Where it stands.
        text: In Markdown, without headings.
    """
    parent = nodes.container()
    source, _ = directive.get_source_info()
    directive.state.nested_parse(StringList(text.splitlines(), source), directive.content_offset, parent)
    return parent.children


def table(head: Sequence[str], rows: Iterable[Sequence[str]], /) -> str:
    """A table in Markdown.

    Args:
        head: What the columns are called.
        rows: Their cells, in Markdown.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def section(directive: SphinxDirective, title: str, content: Sequence[nodes.Node], /) -> nodes.section:
    """A section with a heading that can be linked to.

    Args:
        directive: Where it stands.
        title: The heading.
        content: What is below it.
    """
    found = nodes.section("", nodes.title("", "", nodes.literal(title, title)), *content)
    found["names"].append(nodes.fully_normalize_name(title))
    directive.state.document.note_implicit_target(found, found)
    return found
