"""`TokenService`, written as code on any page or in a docstring, leads to its place in the reference."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

__all__ = ["full_name_of", "setup"]

_NAME = re.compile(r"(?P<path>[A-Za-z_][\w.]*)(?:\(\))?")
_INDEX = "mintkey_index"
_KINDS = frozenset({"class", "data", "exception", "function"})
_NO_PLACE = (nodes.reference, nodes.title, addnodes.desc_signature, addnodes.pending_xref)


def setup(app: Sphinx) -> None:
    """Load it."""
    app.connect("env-check-consistency", _index)
    app.add_post_transform(LinkNames)


def full_name_of(path: str, env: BuildEnvironment, /) -> str | None:
    """The object that a text means: a whole name, or a class's name that is the only one, and members of it.

    Args:
        path: As people write it, `TokenService.mint` or `mintkey.oauth.pkce.challenge`.
        env: What was documented.
    """
    objects = env.domains.python_domain.objects
    if path.startswith("mintkey."):
        return path if path in objects else None
    first, dot, rest = path.partition(".")
    if not first[:1].isupper():
        return None  # `fetch` and `revoke` are words, too
    full_name = f"{getattr(env, _INDEX).get(first, '')}{dot}{rest}"
    return full_name if full_name in objects else None


def _index(_app: Sphinx, env: BuildEnvironment) -> None:
    """Once everything was read: whole names by short ones, where only one object has that."""
    objects = env.domains.python_domain.objects
    whole = [name for name, entry in objects.items() if not entry.aliased and entry.objtype in _KINDS]
    counts = Counter(name.rpartition(".")[2] for name in whole)
    index = {name.rpartition(".")[2]: name for name in whole}
    setattr(env, _INDEX, {short: name for short, name in index.items() if counts[short] == 1})


class LinkNames(SphinxPostTransform):
    """Makes references of code that is a public name, or such a name and one of its members."""

    default_priority = 400

    def run(self, **_: Any) -> None:
        """Change the page."""
        for literal in list(self.document.findall(nodes.literal)):
            found = _NAME.fullmatch(literal.astext())
            full_name = None if found is None or _has_no_place(literal) else full_name_of(found["path"], self.env)
            if full_name is None or full_name in _described_around(literal):
                continue
            entry = self.env.domains.python_domain.objects[full_name]
            literal.replace_self(
                make_refnode(
                    self.app.builder, self.env.docname, entry.docname, entry.node_id, literal.deepcopy(), full_name
                )
            )


def _has_no_place(node: nodes.Node) -> bool:
    return any(isinstance(each, _NO_PLACE) for each in _ancestors(node))


def _ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    while node.parent is not None:
        node = node.parent
        yield node


def _described_around(node: nodes.Node) -> set[str]:
    """The names of the objects in whose descriptions this is: nobody has to be led to where he is."""
    return {
        identifier
        for ancestor in _ancestors(node)
        if isinstance(ancestor, addnodes.desc)
        for signature in ancestor.children
        if isinstance(signature, addnodes.desc_signature)
        for identifier in signature["ids"]
    }
