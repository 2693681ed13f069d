"""SoftHSM: PKCS#11 tokens in a directory of their own, behind a module that no other test has in this process."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11.util.ec import encode_named_curve_parameters

from mintkey.keys.custodians.pkcs11 import Pkcs11Custodian
from mintkey.keys.custodians.pkcs11_pin import Pkcs11Pin

__all__ = ["LABEL", "PIN", "SO_PIN", "Hsm", "Officer", "handle_of", "softhsm_module"]

PIN, SO_PIN, LABEL = "pin-of-the-user", "pin-of-the-officer", "tokens"

_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def softhsm_module() -> Path:
    """The distribution's module: a laptop may do without, CI may not."""
    for place in _PLACES:
        path = Path(place, "softhsm", "libsofthsm2.so")
        if path.exists() and shutil.which("softhsm2-util"):
            return path
    reason = "SoftHSM is not here (Debian: apt-get install softhsm2)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Hsm:
    """Tokens in a directory, and the way to them.

    Attributes:
        home: Where everything is.
        module: A copy of the module: what a process loads, initialises and knows of a module, it knows by the file.
        made: The custodians that were asked for, to be closed.
    """

    home: Path
    made: list[Pkcs11Custodian] = field(default_factory=list[Pkcs11Custodian])

    @classmethod
    def at(cls, home: Path) -> "Hsm":
        """One without tokens."""
        shutil.copy(softhsm_module(), home / "softhsm.so")
        hsm = cls(home)
        hsm.tokens.mkdir()
        (home / "softhsm2.conf").write_text(f"directories.tokendir = {hsm.tokens}\nlog.level = ERROR\n", "utf-8")
        return hsm

    @property
    def module(self) -> Path:
        return self.home / "softhsm.so"

    @property
    def tokens(self) -> Path:
        return self.home / "tokens"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to find the tokens."""
        return {"SOFTHSM2_CONF": str(self.home / "softhsm2.conf")}

    def add(self, label: str = LABEL) -> None:
        """Make a token. A process sees those that were there when it loaded the module."""
        self.util("--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN)

    def util(self, *options: str) -> str:
        """What `softhsm2-util` says."""
        command, environment = ["softhsm2-util", *options], {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def custodian(self, *, pin: str | Pkcs11Pin = PIN, token_label: str = LABEL, **settings: Any) -> Pkcs11Custodian:
        """A custodian, as another process would make it."""
        self.made.append(
            Pkcs11Custodian(self.module, token_label=token_label, pin=pin, **{"rsa_bits": 2048, **settings})
        )
        return self.made[-1]

    async def close(self) -> None:
        """Close them all."""
        for custodian in self.made:
            await custodian.aclose()


def handle_of(session: Any) -> int:
    """The number of a session; it is there, but has no type."""
    handle: int = session.handle
    return handle


class Officer:
    """Somebody else who uses the module in this process, without mintkey."""

    def __init__(self, hsm: Hsm) -> None:
        self.hsm = hsm
        self._calls = ctypes.CDLL(str(hsm.module))

    @contextmanager
    def session(self) -> Iterator[pkcs11.Session]:
        """A session that may write. The user is logged in if a custodian is."""
        session = self.token.open(rw=True)
        try:
            yield session
        finally:
            session.close()

    @property
    def token(self) -> pkcs11.Token:
        return pkcs11.lib(str(self.hsm.module)).get_token(token_label=LABEL)

    def objects(self, kind: pkcs11.ObjectClass = pkcs11.ObjectClass.PRIVATE_KEY) -> list[Any]:
        """The attributes of the token's objects of a class."""
        wanted = [pkcs11.Attribute.ID, pkcs11.Attribute.LABEL]
        with self.session() as session:
            return [found.get_attributes(wanted) for found in session.get_objects({pkcs11.Attribute.CLASS: kind})]

    def close_all_sessions(self) -> None:
        """Those of everybody in this process; that logs everybody out, too."""
        assert self._calls.C_CloseAllSessions(ctypes.c_ulong(self.token.slot.slot_id)) == 0

    def log_out(self) -> None:
        """Log everybody in this process out."""
        with self.session() as session:
            assert self._calls.C_Logout(ctypes.c_ulong(handle_of(session))) == 0

    def finalize(self) -> None:
        """Shut the module down, for everybody in this process."""
        assert self._calls.C_Finalize(None) == 0

    def add_pair(self, label: str, *, curve: str = "secp256r1", **private: bool) -> None:
        """Make a key pair as an operator does: with a label, and with attributes of the private key."""
        template = {pkcs11.Attribute[name.upper()]: value for name, value in private.items()}
        with self.session() as session:
            named = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            parameters = session.create_domain_parameters(pkcs11.KeyType.EC, named, local=True)
            parameters.generate_keypair(
                label=label,
                id=label.encode(),
                store=True,
                capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
                private_template={pkcs11.Attribute.EXTRACTABLE: False, **template},
            )
