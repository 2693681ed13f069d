"""The directives `error-tree` and `reasons`: what is raised, why, and what to do, from the classes themselves."""

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from mintkey.errors import MintkeyError, Reason
from mintkey.integrations.bearer import answer_to
from mintkey_site.tables import markdown, table

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Load it."""
    app.add_directive("error-tree", ErrorTree)
    app.add_directive("reasons", Reasons)


class ErrorTree(SphinxDirective):
    """The classes, who derives from whom, and what each means."""

    def run(self) -> list[nodes.Node]:
        """A nested list."""
        lines = [
            f"{'  ' * depth}* `{error.__name__}`: {(error.__doc__ or '').strip().splitlines()[0]}"
            for depth, error in _tree(MintkeyError)
        ]
        return markdown(self, "\n".join(lines))


class Reasons(SphinxDirective):
    """Every reason: who raises it, the status, whether it is worth trying again, and when it comes."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        analyzer = ModuleAnalyzer.for_module(Reason.__module__)
        when = {name: " ".join(lines).strip() for (_, name), lines in analyzer.find_attr_docs().items()}
        rows = [
            [
                f"`{reason.value}`",
                f"`{type(error).__name__}`",
                str(error.status_code),
                f"`{answer_to(error).word}`",
                "yes" if error.retryable else "no",
                when[reason.name],
            ]
            for reason in Reason
            for error in [_raised(reason)]
        ]
        return markdown(self, table(["reason", "error", "status", "outsiders are told", "retry", "when"], rows))


def _tree(error: type[MintkeyError], depth: int = 0) -> Iterator[tuple[int, type[MintkeyError]]]:
    yield depth, error
    for child in error.__subclasses__():
        # Of two bases of ours the first one counts.
        if child.__bases__[0] is error:
            yield from _tree(child, depth + 1)


def _raised(reason: Reason) -> MintkeyError:
    """The error that has this reason."""
    (found,) = [error for _, error in _tree(MintkeyError) if reason in error.__dict__.get("reasons", ())]
    return found(reason=reason)
