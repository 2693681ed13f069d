"""Nothing that is printed, inspected, pickled or copied shows a key, a token, a password or a person's data."""

import copy
import pickle
import pprint
import reprlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from rich.pretty import pretty_repr

from tests.support.gallery import PASSWORD, gallery
from tests.support.needles import Needles, spellings

# What is a token, a key or a secret itself, in the hands of whoever asked for it, and goes where its holder sends it.
THEMSELVES = (
    "environment",
    "grant",
    "loaded",
    "pair",
    "peeked",
    "request",
    "settings",
    "source",
    "state",
    "token",
    "verified",
)

SPELLINGS = list(spellings(PASSWORD.encode()))

LOOKS: Mapping[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": lambda it: "" if isinstance(it, str) else str(it),  # a token is a text that says so itself
    "format": lambda it: "" if isinstance(it, str) else f"{it}",
    "in a list": lambda it: f"{[it]}",
    "in a dict": lambda it: f"{ {'it': it} }",
    "pprint": pprint.pformat,
    "reprlib": reprlib.repr,
    "rich": lambda it: pretty_repr([it]),
    "vars": lambda it: repr(vars(it)) if hasattr(it, "__dict__") else "",
    "pprint of vars": lambda it: pprint.pformat(vars(it)) if hasattr(it, "__dict__") else "",
    "doc": lambda it: str(it.__doc__),
}


def parts_of(value: object, path: str, known: set[int]) -> Iterator[tuple[str, object]]:
    """An object of ours and, through its members, everything of ours that it holds."""
    if id(value) in known:
        return
    known.add(id(value))
    if isinstance(value, list | tuple | set | frozenset):
        for position, member in enumerate(value):
            yield from parts_of(member, f"{path}[{position}]", known)
    elif isinstance(value, dict | MappingProxyType):
        for position, member in enumerate(value.values()):
            yield from parts_of(member, f"{path}[{position}]", known)
    if not type(value).__module__.startswith("mintkey"):
        return
    yield f"{path} ({type(value).__qualname__})", value
    for name in members_of(value):
        yield from parts_of(getattr(value, name, None), f"{path}.{name}", known)


def members_of(value: object) -> set[str]:
    slots: set[str] = set(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        own = getattr(kind, "__slots__", ())
        for name in (own,) if isinstance(own, str) else own:
            slots.add(f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") else name)
    return slots


async def test_no_look_shows_a_secret(tmp_path) -> None:
    looked_at = 0
    async with gallery(tmp_path) as (exhibits, needles):
        known: set[int] = set()
        shown: list[str] = []
        for name, exhibit in exhibits.items():
            for path, part in parts_of(exhibit, name, known):
                for look, see in LOOKS.items():
                    found = needles.found_in(see(part))
                    shown += [f"{look} of {path} shows {one}" for one in sorted(found)]
                looked_at += 1
    assert shown == []
    assert looked_at > 500


async def test_what_holds_a_secret_is_not_pickled_or_copied(tmp_path) -> None:
    refused = set()
    async with gallery(tmp_path) as (exhibits, needles):
        for name, exhibit in exhibits.items():
            if name.startswith(THEMSELVES):
                continue
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                try:
                    pickled = pickle.dumps(exhibit, protocol)
                except (TypeError, AttributeError, pickle.PicklingError) as error:
                    refused.add(name)
                    pickled = f"{error!r}".encode()
                assert needles.found_in(pickled) == set(), name
    assert {name for name in exhibits if name.startswith(("keys", "service", "marks", "client", "bus"))} <= refused


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
async def test_what_is_open_is_not_copied(duplicate: Callable[[Any], Any], tmp_path) -> None:
    async with gallery(tmp_path) as (exhibits, _):
        for name in ("marks in Redis", "keys in PostgreSQL", "client", "authentication", "environment RS256", "bus"):
            with pytest.raises(TypeError, match="not pickled or copied"):
                duplicate(exhibits[name])


@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
def test_the_search_finds_every_spelling(spelling: str) -> None:
    needles = Needles({"password": PASSWORD})
    assert needles.found_in(f"before {spelling} after") == {"password"}
    assert needles.found_in("\n".join(spelling[start : start + 5] for start in range(0, len(spelling), 5)))
    assert needles.found_in(f"a part of it: {spelling[3 : len(spelling) * 3 // 4]}…")
    assert needles.found_in("x" * 1000) == set()
