"""The directive `room`: public names of a module, documented from their docstrings.

A page of the reference names what it documents, so that it can be read without this directive, and a test compares it
with what the module offers.
"""

import inspect
import re
from importlib import import_module
from types import ModuleType
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["is_public", "setup"]

_ROOT = "mintkey"
_INNER = ("aclose_unless_open",)
_LONG = 60
_ALGORITHMS = re.compile(r"(?:~?typing\.)?Literal\['EdDSA'[^\]]*\]")
_ALGORITHM = "~mintkey.keys.base.Algorithm"


def setup(app: Sphinx) -> None:
    """Load it."""
    app.add_directive("room", Room)
    app.connect("autodoc-process-bases", _leave_out_private_bases)
    app.connect("autodoc-process-signature", _shorten)


class Room(SphinxDirective):
    """Names of a module, one after the other, with their members. `Name()` is shown without its arguments.

    Options:
        without: Members that are there for other modules of ours.
        no-members: The names alone.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"without": directives.unchanged_required, "no-members": directives.flag}

    def run(self) -> list[nodes.Node]:
        """The documentation of every name."""
        module = import_module(self.arguments[0])
        lines = ["```{eval-rst}"]
        for name in " ".join(self.content).split():
            lines += self._documented(module, name)
        source, _ = self.get_source_info()
        parent = nodes.container()
        self.state.nested_parse(StringList([*lines, "```"], source), self.content_offset, parent)
        return parent.children

    def _documented(self, module: ModuleType, name: str) -> list[str]:
        value = getattr(module, name.removesuffix("()"))
        lines = [f".. {_directive(value)}:: {module.__name__}.{name}"]
        if inspect.isclass(value):
            lines += ["   :show-inheritance:"] if value.__bases__ != (object,) else []
            if "no-members" not in self.options:
                without = [*_INNER, *self.options.get("without", "").split()]
                lines += ["   :members:", f"   :exclude-members: {', '.join(without)}"]
                if _undocumented_ancestors(value):
                    lines += [f"   :inherited-members: {', '.join(_documented_ancestors(value))}"]
        elif not inspect.isroutine(value) and len(repr(value)) > _LONG:
            lines += ["   :no-value:"]
        return [*lines, ""]


def is_public(cls: type) -> bool:
    """Whether a module that leads to a class offers it, as `mintkey.keys` does what `mintkey.keys.memory` defines."""
    rooms = cls.__module__.split(".")
    return any(
        getattr(import_module(".".join(rooms[:length])), "__all__", ()).count(cls.__name__)
        for length in range(1, min(len(rooms), 3))
    )


def _directive(value: object) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def _documented_ancestors(cls: type) -> list[str]:
    """Those whose members are not repeated."""
    undocumented = _undocumented_ancestors(cls)
    return sorted({each.__name__ for each in cls.__mro__[1:] if each not in undocumented})


def _undocumented_ancestors(cls: type) -> list[type]:
    """Ancestors of ours without a place of their own, and without an heir that has one and shows their members."""
    ancestors = cls.__mro__[1:]
    documented = [each for each in ancestors if _is_ours(each) and is_public(each)]
    return [each for each in ancestors if _is_private(each) and not any(issubclass(heir, each) for heir in documented)]


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == _ROOT


def _is_private(cls: object) -> bool:
    return inspect.isclass(cls) and _is_ours(cls) and not is_public(cls)


def _leave_out_private_bases(_app: Sphinx, _name: str, _cls: type, _options: object, bases: list[type]) -> None:
    bases[:] = [base for base in bases if not _is_private(getattr(base, "__origin__", base))] or [object]


def _shorten(
    _app: Sphinx, _what: str, _name: str, value: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Nobody makes an object of a protocol, and nobody wants to read all algorithms again."""
    if getattr(value, "_is_protocol", False):
        return "", returns
    short, returned = (None if text is None else _ALGORITHMS.sub(_ALGORITHM, text) for text in (signature, returns))
    return short, returned
