"""The PIN of a token: read where it is kept whenever it is needed, and shown nowhere."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from mintkey.errors import ConfigurationError

__all__ = ["Pkcs11Pin"]


class Pkcs11Pin:
    """The PIN of a PKCS#11 token, or the place where it is kept.

    Args:
        pin: The PIN itself. In a file or in the environment it is read anew for every login.

    Example:
        >>> Pkcs11Pin("1234"), Pkcs11Pin.from_file("/run/secrets/hsm-pin"), Pkcs11Pin.from_environment("HSM_PIN")
        (Pkcs11Pin(…), Pkcs11Pin.from_file('/run/secrets/hsm-pin'), Pkcs11Pin.from_environment('HSM_PIN'))
    """

    __slots__ = ("_read", "_shown")

    def __init__(self, pin: str) -> None:
        self._read: Callable[[], str] = lambda: pin
        self._shown = "(…)"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], /) -> "Pkcs11Pin":
        """The PIN that a file holds, in UTF-8; a line break at its end does not belong to it.

        Args:
            path: The file, as Docker, Kubernetes and systemd provide secrets.

        Example:
            >>> Pkcs11Pin.from_file("/run/secrets/hsm-pin")
            Pkcs11Pin.from_file('/run/secrets/hsm-pin')
        """
        made, place = cls(""), Path(path)
        made._read = lambda: place.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        made._shown = f".from_file({str(place)!r})"
        return made

    @classmethod
    def from_environment(cls, name: str, /, environ: Mapping[str, str] = os.environ) -> "Pkcs11Pin":
        """The PIN that an environment variable holds.

        Args:
            name: The variable.
            environ: Where to look for it.

        Example:
            >>> Pkcs11Pin.from_environment("HSM_PIN").read()
            Traceback (most recent call last):
            mintkey.errors.ConfigurationError: no PIN of the token in Pkcs11Pin.from_environment('HSM_PIN')
        """
        made = cls("")
        made._read = lambda: environ[name]
        made._shown = f".from_environment({name!r})"
        return made

    def read(self) -> bytes:
        """The PIN in UTF-8; reads the file, if it is in one.

        Raises:
            ConfigurationError: There is none (`configuration`).
        """
        try:
            pin = self._read().encode()
        except (OSError, KeyError, ValueError):  # some of them show what they could not read
            pin = b""
        if pin:
            return pin
        raise ConfigurationError(f"no PIN of the token in {self!r}")

    def __repr__(self) -> str:
        return f"Pkcs11Pin{self._shown}"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a PIN is not pickled or copied")
