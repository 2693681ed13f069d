"""Mutations that keep an input's structure: bytes flipped at random hardly ever leave JSON that is still JSON."""

import json
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

__all__ = ["flipped", "json_mutator", "of_parts", "spliced"]

Mutator = Callable[[bytes, Random], bytes]
Pairs = list[tuple[str, Any]]

_INTERESTING: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, 1, -1, 0.5, 1.0, 1e9, 2**31, 2**53, 2**63, 10**31, 10**32, -(10**31)),
    *("", " ", "a", "a b", "\u00fc", "\U0001f511", "\0", "\x7f", '"', "\\", "../x", "a" * 129, "_-", "AA", "AAAA"),
    *([], [[]], [""], ["a", "a"], [None], {}),
)
# What JSON may be written with, and what only looks like it.
_NUMBERS = (
    "1e3 1E+3 10e-1 1.50 -0 -0.0 1e400 1e-400 01 1. .5 +1 0x1 NaN Infinity -Infinity 1e5 17e8 1767225600.5".split()
)
_TOKENS = [
    *_NUMBERS,
    "true",
    "null",
    "nul",
    "''",
    "{}",
    "[",
    "]",
    "}",
    ",",
    ":",
    "/**/",
    "\ufeff",
    "\\u0000",
    "\\ud800",
]


class _Object:
    """A JSON object as it was written: a name may stand in it twice."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs


def flipped(data: bytes, random: Random) -> bytes:
    """Some bytes changed, dropped, doubled or put in."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randint(0, len(changed))
        length = random.choice((1, 1, 1, 2, 4, 16))
        match random.randrange(4):
            case 0:
                changed[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length]
            case _:
                changed[place:place] = random.choice(_TOKENS).encode("utf-8")
    return bytes(changed)


def spliced(pool: Sequence[bytes], cut: bytes) -> Mutator:
    """A mutator that exchanges a piece between two cuts for a piece of one from the pool."""

    def mutate(data: bytes, random: Random) -> bytes:
        pieces, others = data.split(cut), random.choice(pool).split(cut)
        match random.randrange(5):
            case 0:
                pieces[random.randrange(len(pieces))] = random.choice(others)
            case 1:
                pieces.insert(random.randrange(len(pieces) + 1), random.choice(others))
            case 2:
                del pieces[random.randrange(len(pieces))]
            case _:
                place = random.randrange(len(pieces))
                pieces[place] = flipped(pieces[place], random)
        return cut.join(pieces)

    return mutate


def of_parts(*mutators: Mutator, cut: bytes) -> Mutator:
    """A mutator of an input of several parts, each of its own kind; mostly one part changes at a time."""

    def mutate(data: bytes, random: Random) -> bytes:
        parts = data.split(cut, len(mutators) - 1)
        parts += [b""] * (len(mutators) - len(parts))
        for place in {random.randrange(len(mutators)) for _ in range(random.choice((1, 1, 1, 2)))}:
            parts[place] = mutators[place](parts[place], random)
        return cut.join(parts)

    return mutate


def json_mutator(names: Sequence[str], values: Sequence[Any]) -> Mutator:
    """A mutator of JSON texts.

    Args:
        names: Names of members that mean something.
        values: Values that mean something.
    """
    vocabulary = _Vocabulary(names, (*_INTERESTING, *values, *values))

    def mutate(data: bytes, random: Random) -> bytes:
        try:
            tree = json.loads(data.decode("utf-8", "surrogatepass"), object_pairs_hook=_Object, parse_float=_Literal)
        except (ValueError, RecursionError):
            return flipped(data, random)
        if random.random() < 0.05:
            return flipped(data, random)
        for _ in range(random.choice((1, 1, 1, 2))):
            tree = vocabulary.edited(tree, random)
        style = _Style(random) if random.random() < 0.3 else _PLAIN
        return style.written(tree).encode("utf-8", "surrogatepass")

    return mutate


class _Literal(str):
    """A number as it was written, or what stands in place of a value."""

    __slots__ = ()


class _Vocabulary:
    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self.names, self.values = names, values

    def value(self, random: Random) -> Any:
        return _Literal(random.choice(_TOKENS)) if random.random() < 0.05 else random.choice(self.values)

    def edited(self, tree: Any, random: Random) -> Any:
        """The tree with one change, somewhere."""
        if isinstance(tree, _Object):
            pairs = list(tree.pairs)
            if not pairs or random.random() < 0.5 / (1 + 2 * _containers(member for _, member in pairs)):
                return _Object(self.with_other_members(pairs, random))
            place = _somewhere([member for _, member in pairs], random)
            pairs[place] = pairs[place][0], self.edited(pairs[place][1], random)
            return _Object(pairs)
        if isinstance(tree, list) and tree and random.random() < 0.9:
            items = list(tree)
            place = _somewhere(items, random)
            match random.randrange(12):
                case 0:
                    del items[place]
                case 1:
                    items.insert(place, random.choice(items))
                case _:
                    items[place] = self.edited(items[place], random)
            return items
        return self.other(tree, random)

    def with_other_members(self, pairs: Pairs, random: Random) -> Pairs:
        place = random.randrange(len(pairs)) if pairs else 0
        match random.randrange(7):
            case 0:
                del pairs[place : place + 1]
            case 1:
                pairs[place:place] = pairs[place : place + 1]
            case 2:
                pairs.insert(place, (random.choice(self.names), self.value(random)))
            case 3 if pairs:
                pairs[place] = random.choice(self.names), pairs[place][1]
            case 4 if pairs:
                pairs.append(pairs.pop(place))
            case 5 if pairs:
                pairs[place] = pairs[place][0], random.choice(pairs)[1]
            case _ if pairs:
                pairs[place] = pairs[place][0], self.other(pairs[place][1], random)
        return pairs

    def other(self, value: Any, random: Random) -> Any:
        """A value instead of another one, alike or not."""
        match random.randrange(6):
            case 0 if isinstance(value, str) and value:
                return flipped(value.encode("utf-8", "surrogatepass"), random).decode("utf-8", "replace")
            case 1 if isinstance(value, int):
                return value + random.choice((-1, 1, -11, 11, 10**9, -value))
            case 2:
                return [value]
            case 3:
                return _nested(value, random.choice((1, 1, 2, 7, 8, 14, 15, 16)))
            case 4:
                return _Object([(random.choice(self.names), value)])
            case _:
                return self.value(random)


def _containers(values: Iterable[Any]) -> int:
    return sum(isinstance(value, _Object | list) for value in values)


def _somewhere(values: Sequence[Any], random: Random) -> int:
    """A place among values, most probably where there is more within."""
    weights = [6 if isinstance(value, _Object | list) else 1 for value in values]
    return random.choices(range(len(values)), weights)[0]


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


class _Style:
    """One of the ways in which a value can be written down."""

    def __init__(self, random: Random | None) -> None:
        self.random = random

    def space(self) -> str:
        return (
            ""
            if self.random is None or self.random.random() < 0.7
            else self.random.choice((" ", "\t", "\n", "\r\n") if self.random.random() < 0.97 else ("\f", "\u00a0"))
        )

    def written(self, value: Any) -> str:
        before, after = self.space(), self.space()
        return f"{before}{self.bare(value)}{after}"

    def bare(self, value: Any) -> str:
        if isinstance(value, _Literal):
            return str(value)
        if isinstance(value, str):
            return self.quoted(value)
        if isinstance(value, _Object | dict):
            pairs = value.pairs if isinstance(value, _Object) else value.items()
            return f"{{{','.join(f'{self.written(name)}:{self.written(member)}' for name, member in pairs)}}}"
        if isinstance(value, list):
            return f"[{','.join(map(self.written, value))}]"
        return json.dumps(value)

    def quoted(self, text: str) -> str:
        if self.random is None or self.random.random() < 0.5:
            return json.dumps(text, ensure_ascii=False)
        units = text.encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join("\\u" + units[start : start + 4] for start in range(0, len(units), 4)) + '"'


_PLAIN = _Style(None)
