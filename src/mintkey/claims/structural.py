"""Reads JSON values into `TypedDict`s and dataclasses, strictly: no coercion, and errors that name a path only."""

import dataclasses
import enum
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from mintkey.claims.narrow import is_list, is_object
from mintkey.errors import ConfigurationError

__all__ = ["Reader", "Unreadable", "plain", "reader_for"]

Reader = Callable[[Any, str], Any]
"""Takes a JSON value and its path; returns the typed value or raises `Unreadable`."""


class Unreadable(Exception):  # noqa: N818 - never leaves the room
    """A value does not fit; `path` says where, as in `address.city` or `roles[1]`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def reader_for(kind: Any, /) -> Reader:
    """A reader of values of this type, built once.

    Raises:
        ConfigurationError: The type, or one inside it, has no JSON form (`configuration`).
    """
    return _Compiler().compile(kind)


def plain(value: Any, /) -> Any:
    """The value with dataclasses as objects and enum members as their values, ready for JSON; always a copy."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    return value


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[Any, Reader] = {}

    def compile(self, kind: Any) -> Reader:
        origin = get_origin(kind)
        arguments = get_args(kind)
        if kind in (Any, object):
            return _anything
        if origin in (Annotated, Required, NotRequired):
            return self.compile(arguments[0])
        if origin in (Union, types.UnionType):
            return _any_of([self.compile(argument) for argument in arguments])
        if origin is Literal:
            return _literal(arguments)
        return self._container(kind, origin or kind, arguments)

    def _container(self, kind: Any, origin: Any, arguments: tuple[Any, ...]) -> Reader:
        if origin in (list, Sequence):
            return _list(self.compile(arguments[0] if arguments else Any))
        if origin in (dict, Mapping):
            return self._mapping(arguments)
        return self._plain(kind)

    def _mapping(self, arguments: tuple[Any, ...]) -> Reader:
        if arguments and arguments[0] is not str:
            raise ConfigurationError("claims: the keys of a JSON object are strings")
        return _mapping(self.compile(arguments[1] if arguments else Any))

    def _plain(self, kind: Any) -> Reader:
        if kind in (None, type(None)):
            return _literal((None,))
        if inspect.isclass(kind) and issubclass(kind, enum.Enum):
            return _enum(kind)
        if kind in (str, bool, int):
            return _exactly(kind)
        if kind is float:
            return _number
        if is_typeddict(kind) or dataclasses.is_dataclass(kind):
            return self._record(kind)
        raise ConfigurationError(f"claims: {getattr(kind, '__name__', kind)!s} has no JSON form that can be read back")

    def _record(self, kind: Any) -> Reader:
        if kind not in self._records:
            fields: dict[str, Reader] = {}
            required, build = _shape(kind)
            # Registered before its fields are compiled, so that a type may contain itself.
            self._records[kind] = _record(fields, required, build)
            hints = get_type_hints(kind, include_extras=True)
            fields.update({name: self.compile(hints[name]) for name in (*required, *_optional(kind, required))})
        return self._records[kind]


def _shape(kind: Any) -> tuple[frozenset[str], Callable[..., Any]]:
    if is_typeddict(kind):
        return frozenset(kind.__required_keys__), dict
    fields = [field for field in dataclasses.fields(kind) if field.init]
    missing = dataclasses.MISSING
    return frozenset(f.name for f in fields if f.default is missing and f.default_factory is missing), kind


def _optional(kind: Any, required: frozenset[str]) -> list[str]:
    if is_typeddict(kind):
        return list(kind.__optional_keys__)
    return [field.name for field in dataclasses.fields(kind) if field.init and field.name not in required]


def _anything(value: Any, _path: str) -> Any:
    return value


def _exactly(kind: type) -> Reader:
    def read(value: Any, path: str) -> Any:
        # The exact type: true is no 1, although bool is an int in Python.
        if type(value) is not kind:
            raise Unreadable(path)
        return value

    return read


def _number(value: Any, path: str) -> float:
    if type(value) is not int and type(value) is not float:
        raise Unreadable(path)
    return float(value)


def _literal(allowed: tuple[Any, ...]) -> Reader:
    kinds: set[tuple[object, object]] = {(type(one), one) for one in allowed}

    def read(value: Any, path: str) -> Any:
        if is_list(value) or is_object(value) or (type(value), value) not in kinds:
            raise Unreadable(path)
        return value

    return read


def _enum(kind: type[enum.Enum]) -> Reader:
    by_value: dict[tuple[object, object], enum.Enum] = {(type(member.value), member.value): member for member in kind}

    def read(value: Any, path: str) -> enum.Enum:
        if is_list(value) or is_object(value) or (type(value), value) not in by_value:
            raise Unreadable(path)
        return by_value[type(value), value]

    return read


def _any_of(readers: list[Reader]) -> Reader:
    def read(value: Any, path: str) -> Any:
        for reader in readers:
            try:
                return reader(value, path)
            except Unreadable:
                continue
        raise Unreadable(path)

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any, path: str) -> list[Any]:
        if not is_list(value):
            raise Unreadable(path)
        return [item(one, f"{path}[{index}]") for index, one in enumerate(value)]

    return read


def _mapping(member: Reader) -> Reader:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not is_object(value):
            raise Unreadable(path)
        return {name: member(one, _join(path, name)) for name, one in value.items()}

    return read


def _record(fields: dict[str, Reader], required: frozenset[str], build: Callable[..., Any]) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not is_object(value):
            raise Unreadable(path)
        for name in sorted(required):
            if name not in value:
                raise Unreadable(_join(path, name))
        read_fields = {name: reader(value[name], _join(path, name)) for name, reader in fields.items() if name in value}
        # A dataclass may check itself in __post_init__, and raise anything: `Decimal(…)` and look-ups have errors of
        # their own. What it says may quote a value, so it is not even a context.
        with suppress(Exception):
            return build(**read_fields)
        raise Unreadable(path)

    return read


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
