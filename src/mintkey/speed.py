"""What the `speed` extra brings: PyNaCl for Ed25519 and orjson for reading JSON. Nothing depends on either.

Both are looked for when they are first needed, once. What is installed and does not work is not there: no token is
worse off for an accelerator. `imported` is the one way to them; a test that replaces it switches the extra off.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["Sodium", "accelerators", "imported", "json_loads", "load", "sodium"]

_OLDEST = MappingProxyType({"nacl": (1, 5), "orjson": (3, 10)})


class Sodium(NamedTuple):
    """What is used of libsodium.

    Attributes:
        sign: From a message and a secret key (seed and public key): the signature, and the message behind it.
        open: From a signature with the message behind it and a public key: the message. Raises if it is not signed so.
    """

    sign: Callable[[bytes, bytes], bytes]
    open: Callable[[bytes, bytes], bytes]


@cache
def imported(module: str, /) -> Any | None:
    """The module of an accelerator; None if it is not there, does not load, or is older than the extra asks for."""
    package = module.partition(".")[0]
    try:
        version = _version(package)
        major, minor, *_ = version.split(".")
        return import_module(module) if (int(major), int(minor)) >= _OLDEST[package] else None
    except Exception:  # noqa: BLE001 - no such package, no shared library, another processor: do without, whatever it is
        return None


def json_loads() -> Callable[[bytes], Any] | None:
    """`orjson.loads`, or None. It is laxer than we are: whoever calls it has to prove what it read.

    Asked for at every use, as in `if (read := speed.json_loads()) is not None: …`.
    """
    found = imported("orjson")
    return None if found is None else found.loads


def sodium() -> Sodium | None:
    """Ed25519 of libsodium, or None. Whether it judges signatures as we do, `jose.sodium` finds out."""
    found = imported("nacl.bindings")
    return None if found is None else Sodium(found.crypto_sign, found.crypto_sign_open)


def load() -> None:
    """Look for both now rather than at the first token: importing them takes longer than the event loop can wait."""
    for module in ("nacl.bindings", "orjson"):
        imported(module)


def accelerators() -> Mapping[str, str | None]:
    """The version of each package of the extra that is there; None for one that is not.

    Example:
        >>> list(accelerators())
        ['PyNaCl', 'orjson']
    """
    return {
        "PyNaCl": None if sodium() is None else _version("nacl"),
        "orjson": None if json_loads() is None else _version("orjson"),
    }


def _version(package: str) -> str:
    version: str = import_module(package).__version__
    return version
