"""Typed claims: from a purpose's claim type to JSON members and back.

`dict` passes through; `TypedDict`s and dataclasses are read by `claims.structural`; `msgspec.Struct`s and pydantic
models by their own libraries, which are only looked for among the modules that the caller has imported already.
"""

import dataclasses
import re
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast, is_typeddict

from mintkey.claims.structural import Reader, Unreadable, plain, reader_for
from mintkey.errors import ClaimError, ConfigurationError

__all__ = ["ClaimsCodec", "codec_for"]

C = TypeVar("C")


class ClaimsCodec(Protocol[C]):
    """Turns the private claims of a token into a value of the purpose's type, and back."""

    def __init__(self, kind: type[C], /) -> None: ...

    def encode(self, value: C, /) -> dict[str, Any]:
        """The claims as JSON members; never the caller's own mapping.

        Raises:
            ConfigurationError: The value is not of the purpose's type (`configuration`).
        """
        ...

    def decode(self, claims: dict[str, Any], /) -> C:
        """The claims as a value of the purpose's type, which may be made of the very objects that are given.

        Raises:
            ClaimError: They do not fit (`claim_invalid`); `.claim` is the path, and the value is nowhere.
        """
        ...


def codec_for(kind: type[C], /) -> ClaimsCodec[C]:
    """The codec of a claim type.

    Raises:
        ConfigurationError: It is no type that can be read from JSON (`configuration`).
    """
    if kind is dict:
        codec: type[ClaimsCodec[Any]] = _Dict
    elif _is_subclass(kind, "msgspec", "Struct"):
        codec = _Msgspec
    elif _is_subclass(kind, "pydantic", "BaseModel"):
        codec = _Pydantic
    elif is_typeddict(kind) or dataclasses.is_dataclass(kind):
        codec = _Structural
    else:
        raise ConfigurationError("claims must be dict, a TypedDict, a dataclass, a msgspec.Struct or a pydantic model")
    return cast("ClaimsCodec[C]", codec(kind))


def _is_subclass(kind: object, package: str, name: str) -> bool:
    # A type of that package can only exist once the caller has imported it.
    base = getattr(sys.modules.get(package), name, None)
    return base is not None and isinstance(kind, type) and issubclass(kind, base)


class _Dict:
    def __init__(self, _kind: type[Any], /) -> None: ...

    def encode(self, value: Any, /) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"claims must be a mapping, not {type(value).__name__}")
        return dict(cast("Mapping[str, Any]", value))

    def decode(self, claims: dict[str, Any], /) -> dict[str, Any]:
        return claims


class _Structural:
    """A `TypedDict` or a dataclass; what is minted is read back once, so that a misfit is found by who made it."""

    def __init__(self, kind: type[Any], /) -> None:
        self._read: Reader = reader_for(kind)

    def encode(self, value: Any, /) -> dict[str, Any]:
        claims = plain(value)
        try:
            self._read(claims, "")
        except Unreadable as error:
            raise ConfigurationError(f"the claims do not fit the purpose's type at {error.path or 'the top'}") from None
        return cast("dict[str, Any]", claims)

    def decode(self, claims: dict[str, Any], /) -> Any:
        try:
            return self._read(claims, "")
        except Unreadable as error:
            path = error.path
        raise _misfit(path)


class _Msgspec:
    def __init__(self, kind: type[Any], /) -> None:
        self._kind = kind
        self._msgspec: Any = sys.modules["msgspec"]

    def encode(self, value: Any, /) -> dict[str, Any]:
        if not isinstance(value, self._kind):
            raise ConfigurationError(f"claims must be a {self._kind.__name__}")
        return cast("dict[str, Any]", self._msgspec.to_builtins(value))

    def decode(self, claims: dict[str, Any], /) -> Any:
        try:
            return self._msgspec.convert(claims, self._kind)
        except self._msgspec.ValidationError as error:
            path = _msgspec_path(str(error))
        except Exception:  # noqa: BLE001 - from `__post_init__`
            path = ""
        raise _misfit(path)


def _msgspec_path(message: str) -> str:
    found = re.search(r" - at `\$\.?([^`]*)`$", message) or re.search(r"required field `([^`]*)`", message)
    return found[1] if found else ""


class _Pydantic:
    def __init__(self, kind: type[Any], /) -> None:
        self._kind: Any = kind
        self._pydantic: Any = sys.modules["pydantic"]

    def encode(self, value: Any, /) -> dict[str, Any]:
        if not isinstance(value, self._kind):
            raise ConfigurationError(f"claims must be a {self._kind.__name__}")
        return cast("dict[str, Any]", value.model_dump(mode="json", by_alias=True))

    def decode(self, claims: dict[str, Any], /) -> Any:
        try:
            return self._kind.model_validate(claims)
        except self._pydantic.ValidationError as error:
            path = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        except Exception:  # noqa: BLE001 - from a validator
            path = ""
        raise _misfit(path)


# The errors of those who read claims may quote a value, and a type's own checks may raise anything: only the path is
# ours to tell. So a refusal is raised where their error has been dealt with, and does not even have it as its context.
def _misfit(path: str) -> ClaimError:
    return ClaimError(f"the claim {path!r} does not fit the purpose's type", claim=path)
