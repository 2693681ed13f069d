"""What names in signatures and docstrings lead to.

A name of another package, a type variable and a private name lead nowhere. Any other has to be documented: it is part
of the public surface.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from mintkey_site.linked_names import full_name_of

__all__ = ["setup"]

_VARIABLE = re.compile(r"(?:mintkey\.[\w.]+\.)?(?:[A-Z]|_\w+)")
"""A type variable, or a protocol that only says what is needed of an argument."""

_INNER = frozenset({"ClaimsCodec", "ClaimRules", "ClosableStore", "ContractProvider"})
"""What a purpose has prepared for other modules of ours; a port and how it is entered, as contract suites want it."""


def setup(app: Sphinx) -> None:
    """Load it."""
    app.connect("missing-reference", _lead)


def _lead(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Element | None:
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    full_name = full_name_of(target.rpartition(".")[2] if target.startswith("mintkey.") else target, env)
    if full_name is not None:
        entry = env.domains.python_domain.objects[full_name]
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, full_name)
    if target.rpartition(".")[2] in _INNER:
        return content
    is_foreign = "." in target and not target.startswith("mintkey.")
    return content if is_foreign or _VARIABLE.fullmatch(target) else None
