"""The ways in which a PEM arrives in an environment variable."""

import base64
import textwrap
from collections.abc import Callable, Mapping
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

__all__ = ["BROKEN", "pem_of"]


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


BROKEN: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "no final newline": lambda pem: pem.rstrip(),
    "CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "lone CR": lambda pem: pem.replace("\n", "\r"),
    "escaped": lambda pem: pem.replace("\n", r"\n"),
    "escaped twice": lambda pem: pem.replace("\n", r"\\n"),
    "escaped four times": lambda pem: pem.replace("\n", "\\" * 8 + "n"),
    "escaped CRLF": lambda pem: pem.replace("\n", r"\r\n"),
    "escaped, then broken": lambda pem: pem.replace("\n", "\\n\n"),
    "double quotes": lambda pem: f'"{pem}"',
    "single quotes": lambda pem: f"'{pem}'",
    "nested quotes": lambda pem: f"""'"{pem}"'""",
    "quoted and escaped": lambda pem: '"' + pem.replace("\n", r"\n") + '"',
    "escaped quotes": lambda pem: r"\"" + pem.replace("\n", r"\n") + r"\"",
    "quotes left in": lambda pem: '"' + pem.replace("\n", '"\n"') + '"',
    "spaces for newlines": lambda pem: pem.replace("\n", " "),
    "tabs for newlines": lambda pem: pem.replace("\n", "\t"),
    "one line": lambda pem: pem.replace("\n", ""),
    "no white space at all": lambda pem: "".join(pem.split()),
    "indented": lambda pem: textwrap.indent(pem, "    "),
    "indented but the first line": lambda pem: textwrap.indent(pem, "\t").lstrip(),
    "blank lines between": lambda pem: pem.replace("\n", "\n\n"),
    "surrounding white space": lambda pem: f"\n\n  {pem}  \n\n",
    "byte order mark": lambda pem: "\ufeff" + pem,
    "line continuation": lambda pem: pem.replace("\n", "\\\n"),
    "backslashes lost": lambda pem: pem.replace("\n", "n"),
    "base64": _b64,
    "base64 without padding": lambda pem: _b64(pem).rstrip("="),
    "base64url": lambda pem: base64.urlsafe_b64encode(pem.encode()).decode(),
    "base64 on lines": lambda pem: base64.encodebytes(pem.encode()).decode(),
    "base64 with escapes": lambda pem: base64.encodebytes(pem.encode()).decode().replace("\n", r"\n"),
    "base64 of base64": lambda pem: _b64(_b64(pem)),
    "base64 of an escaped one": lambda pem: _b64(pem.replace("\n", r"\n")),
    "quoted base64": lambda pem: f'"{_b64(pem)}"',
    "text in front": lambda pem: f"Bag Attributes\n    friendlyName: app\n{pem}",
}


@cache
def pem_of(kind: str) -> str:
    """A private key of a kind, the same one in every test."""
    form = serialization.PrivateFormat.PKCS8
    if kind == "RSA":
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = rsa.generate_private_key(
            65_537, 2048
        )
    elif kind == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
