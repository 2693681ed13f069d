"""What may follow the `?` of a Redis URL, looked at before the first connection is made."""

import codecs
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ParameterError", "problems_of"]

_TEXTS = frozenset(
    {
        "client_name",
        "encoding",
        "encoding_errors",
        "host",
        "password",
        "path",
        "port",
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_certfile",
        "ssl_cert_reqs",
        "ssl_ciphers",
        "ssl_keyfile",
        "ssl_password",
        "username",
    }
)
"""Options of a connection that are texts. Those that are numbers the driver makes numbers; all others are objects."""

_NAME = re.compile(r"[!-~]{1,128}")


class ParameterError(ValueError):
    """A parameter of a URL is wrong; the message names it, and never shows its value."""


def problems_of(options: Mapping[str, Any], /) -> list[str]:
    """What is wrong with a connection's options that came from a URL; each problem names the parameter.

    Args:
        options: As the driver read them.

    Example:
        >>> problems_of({"host": "localhost", "db": 0, "socket_type": "stream"})
        ['socket_type is nothing that a URL can say: make a client yourself']
    """
    unsayable = sorted(name for name, value in options.items() if isinstance(value, str) and name not in _TEXTS)
    problems = [f"{name} is nothing that a URL can say: make a client yourself" for name in unsayable]
    return problems + [
        f"{name} must be {shape}"
        for name, (shape, fits) in _SHAPES.items()
        if name not in unsayable and options.get(name) is not None and not _is(fits, options[name])
    ]


def _is(fits: Callable[[Any], object], value: object) -> bool:
    try:
        return bool(fits(value))
    except (LookupError, ValueError, ssl.SSLError):
        return False


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_tls_version(value: int) -> bool:
    _context().minimum_version = ssl.TLSVersion(value)
    return True


def _are_ciphers(value: str) -> bool:
    _context().set_ciphers(value)
    return True


_SHAPES: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "client_name": ("1 to 128 visible characters of ASCII without spaces", _NAME.fullmatch),
    "db": ("a number from 0 on", lambda number: number >= 0),
    "encoding": ("an encoding of texts in which commands look as in ASCII", lambda name: "GET".encode(name) == b"GET"),
    "encoding_errors": ("the name of an error handler of Python's", codecs.lookup_error),
    "ssl_ciphers": ("a list of ciphers in OpenSSL's words", _are_ciphers),
    "ssl_min_version": ("the number of a version of TLS, such as 771 for TLS 1.2", _is_tls_version),
}
