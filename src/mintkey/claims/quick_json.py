"""Reads most JSON objects in C, and proves that the strict reader would have read the same.

The strict reader runs some Python for every object and every number, to see what the parsers in C keep to themselves: a
name that appears twice, a number of a thousand digits. Hardly any token has either, and that can be told afterwards. In
text without a backslash every quotation mark begins or ends a string. So if there are exactly twice as many as there
are strings and names in what was read, no name was dropped on the way.

A doubt is no verdict: whatever cannot be proved here is left to the strict reader, which alone refuses.
"""

import json
from collections.abc import Iterable
from typing import Any

from mintkey import speed
from mintkey.claims.narrow import is_list, is_object

__all__ = ["read_quickly"]

_BACKSLASH = ord("\\")
_BOUND = 10**31  # of an integer that has less than 32 digits
_IN_DOUBT = -(1 << 60)

_read = json.JSONDecoder().raw_decode


def read_quickly(data: bytes, /, *, max_depth: int) -> dict[str, Any] | None:
    """The JSON object in these bytes; None: ask the strict reader.

    Args:
        data: Whatever came in.
        max_depth: How many objects and arrays may stand within one another, the outermost included.

    Example:
        >>> read_quickly(b'{"sub":"20"}', max_depth=16)
        {'sub': '20'}
        >>> read_quickly(b'{"sub":"20","sub":"21"}', max_depth=16) is None
        True
    """
    if _BACKSLASH in data:
        return None
    try:
        found = _parsed(data)
    except (ValueError, RecursionError):
        return None
    if not is_object(found) or data.count(b'"') != 2 * _strings((found,), max_depth):
        return None
    return found


def _parsed(data: bytes) -> object:
    loads = speed.json_loads()
    if loads is not None:
        return loads(data)
    text = data.decode("utf-8")
    value, end = _read(text)
    return value if end == len(text) else None


def _strings(values: Iterable[object], depth: int) -> int:
    """How many strings and names there are in these values; below zero where only the text can tell."""
    count = 0
    for value in values:
        if isinstance(value, str):
            count += 1
        elif isinstance(value, int):  # true and false too, which hide nothing
            if not -_BOUND < value < _BOUND:
                return _IN_DOUBT
        elif isinstance(value, float) or depth == 0:
            return _IN_DOUBT
        elif is_object(value):
            count += len(value) + _strings(value.values(), depth - 1)
        elif is_list(value):
            count += _strings(value, depth - 1)
    return count
