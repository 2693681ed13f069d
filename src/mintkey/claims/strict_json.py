"""The one reader and writer of JSON: whatever has two readings is refused, so that nobody can be shown another one.

The standard library's reader keeps the last of two equal names, knows `NaN`, guesses at UTF-16, recurses as deep as the
text says and turns `1e999` into infinity. Each of these lets two parties read different things in the same signed bytes
(RFC 8725 §2.4, RFC 8259 §4). What `dumps` writes, `loads` reads.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

from mintkey.claims.quick_json import read_quickly

__all__ = ["MAX_DEPTH", "StrictJSONError", "dumps", "encode_text", "loads"]

MAX_DEPTH = 16
"""How many objects and arrays may stand within one another."""

_MAX_NUMBER_LENGTH = 32
_TOO_LARGE = 10**_MAX_NUMBER_LENGTH
_TOO_SMALL = -(10 ** (_MAX_NUMBER_LENGTH - 1))  # the sign is a character too
_WHITESPACE = " \t\n\r"
_CONSTANTS = {None: "null", True: "true", False: "false"}

# Every string is swallowed whole, also one that never ends: the scan stays linear whatever the bytes.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class StrictJSONError(ValueError):
    """The bytes are no JSON object that we read, or the value none that we write; the message never quotes it.

    Example:
        >>> loads(b'{"admin": false, "admin": true}')
        Traceback (most recent call last):
        mintkey.claims.strict_json.StrictJSONError: a member name appears twice
    """


def loads(data: bytes, /, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The JSON object in these bytes.

    Args:
        data: UTF-8 without a byte order mark.
        max_depth: How many objects and arrays may stand within one another, the outermost included.

    Raises:
        StrictJSONError: The bytes are no UTF-8 or no JSON, the value is no object, a name appears twice in one object,
            a number is infinite, not a number or over 32 characters long, a string holds half a surrogate pair, or the
            nesting is too deep.

    Example:
        >>> loads(b'{"sub": "20", "roles": ["editor"]}')
        {'sub': '20', 'roles': ['editor']}
    """
    found = read_quickly(data, max_depth=max_depth)
    return _read_strictly(data, max_depth) if found is None else found


def dumps(value: Mapping[str, Any], /) -> bytes:
    """The object as compact UTF-8 JSON.

    Args:
        value: Made of what `loads` returns: strings, finite numbers, booleans, None, lists, mappings with string keys.
            Tuples are written as arrays.

    Raises:
        StrictJSONError: Something in it is not of that kind, or `loads` would refuse it; the message names the type.

    Example:
        >>> dumps({"sub": "20", "roles": ("editor",)})
        b'{"sub":"20","roles":["editor"]}'
    """
    return _encode(_written(value, MAX_DEPTH))


def encode_text(text: str, /) -> bytes:
    r"""A string as JSON.

    Raises:
        StrictJSONError: It holds half a surrogate pair.

    Example:
        >>> encode_text('"20"')
        b'"\\"20\\""'
    """
    return _encode(_quoted(text))


def _read_strictly(data: bytes, max_depth: int) -> dict[str, Any]:
    # Fewer brackets than levels cannot be too deep.
    if data.count(b"{") + data.count(b"[") > max_depth and _is_deeper(data, max_depth):
        raise StrictJSONError(f"nested deeper than {max_depth} levels")
    text, value = _parse(data)
    if not isinstance(value, dict):
        raise StrictJSONError("not a JSON object")
    found = cast("dict[str, Any]", value)
    if "\\" in text:  # escapes are the only way for a lone surrogate to get past the UTF-8 decoder
        _encode(_written(found, max_depth))
    return found


def _is_deeper(data: bytes, limit: int) -> bool:
    depth = 0
    for byte in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > limit:
            return True
    return False


def _parse(data: bytes) -> tuple[str, object]:
    try:
        text = data.decode("utf-8").strip(_WHITESPACE)
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return text, value
    except StrictJSONError:
        raise
    except ValueError:
        pass  # the decoders' own errors carry the whole text, so they may not even be a context
    raise StrictJSONError("not JSON in UTF-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {name: value for name, value in pairs}  # noqa: C416 - twice as fast as dict(pairs)
    if len(found) != len(pairs):
        raise StrictJSONError("a member name appears twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise StrictJSONError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    return int(text)


def _float(text: str) -> float:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise StrictJSONError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    number = float(text)
    if not math.isfinite(number):
        raise StrictJSONError("a number that is not finite")
    return number


def _constant(_: str) -> NoReturn:
    raise StrictJSONError("a number that is not finite")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_quoted: Callable[[str], str] = json.encoder.encode_basestring


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        pass  # it carries the whole text
    raise StrictJSONError("a string with half a surrogate pair")


def _written(value: object, depth: int) -> str:
    """The value as text; the standard library's writer writes the name 1 as "1", and numbers of any length."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        if _TOO_SMALL < value < _TOO_LARGE:
            return int.__repr__(value)
        raise StrictJSONError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    if isinstance(value, float):
        if math.isfinite(value):
            return float.__repr__(value)
        raise StrictJSONError("a number that is not finite")
    if isinstance(value, (Mapping, list, tuple)):
        if depth == 0:  # also what stops a value that contains itself
            raise StrictJSONError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value)
            return (
                f"{{{','.join([f'{_name(name)}:{_written(member, depth - 1)}' for name, member in members.items()])}}}"
            )
        return f"[{','.join([_written(member, depth - 1) for member in cast('Sequence[object]', value)])}]"
    raise StrictJSONError(f"{type(value).__name__} is no JSON value")


def _name(name: object) -> str:
    if isinstance(name, str):
        return _quoted(name)
    raise StrictJSONError(f"a member name is {type(name).__name__}, not str")
