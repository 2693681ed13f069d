r"""Reads key texts in the state in which environment variables and mounted files hold them.

On its way through dotenv files, shells, YAML, CI systems and secret managers a PEM loses its line breaks, gets them
back as `\n` once or twice escaped, is indented, quoted, put on one line, or base64-encoded as a whole. The key is still
there: between its BEGIN and END lines only base64 can stand, so everything else can be undone without guessing.
"""

import binascii
import re
from dataclasses import dataclass, field

__all__ = ["KeyText", "is_placeholder", "looks_like_path", "read_key_text"]

_MARK = re.compile(r"-----\s*(BEGIN|END)([A-Za-z0-9 ]+?)-----")
# Only from the first backslash of a row: from each of them, a long row would take minutes.
_ESCAPED_BREAK = re.compile(r"(?<!\\)\\+[nrt]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LABELS = {
    label.replace(" ", ""): label
    for label in ("PRIVATE KEY", "PUBLIC KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "RSA PUBLIC KEY")
}
# `openssl ecparam -genkey` writes the curve in front of the key, which names it again.
_NO_KEYS = frozenset({"ECPARAMETERS", "DHPARAMETERS"})
_LINE = 64  # RFC 7468 §2

# As texts they are no key anyway; knowing them lets the error say what happened.
_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|\$\{.*\}|\{\{.*\}\}|[x*.\-_?#0]+"
    r"|(?:please[-_ ]?)?(?:change|replace|set|insert|fill)[-_ ]?(?:me|this|it|in|with|here)?(?:[-_ ].*)?"
    r"|(?:your|my|some|the|a)[-_ ].*|(?:todo|fixme|example|dummy|placeholder|redacted)\b.*"
    r"|tbd|none|null|nil|undefined|unset|empty|secret|(?:private[-_ ]?)?key|password|test|foo|bar|default",
    re.IGNORECASE | re.DOTALL,
)
_FILE_ENDINGS = (".pem", ".key", ".pub", ".jwk", ".jwks", ".json")
_NOT_IN_A_PATH = frozenset("\0\r\n")


@dataclass(frozen=True, slots=True)
class KeyText:
    """Key texts put in order: the JSON of a JWK or a JWK Set, or PEM blocks."""

    json: bytes = field(default=b"", repr=False)
    pems: tuple[str, ...] = field(default=(), repr=False)


def is_placeholder(text: str, /) -> bool:
    """Whether this is what a template or a guide puts where a key belongs.

    Example:
        >>> is_placeholder("changeme"), is_placeholder("<your private key>"), is_placeholder("/etc/keys")
        (True, True, False)
    """
    return _PLACEHOLDER.fullmatch(_unquoted(text)) is not None and not looks_like_path(text)


def looks_like_path(text: str, /) -> bool:
    """Whether this may be meant as a file or directory: it has a slash in it, or a file's ending.

    Example:
        >>> looks_like_path("./keys"), looks_like_path("keys.pem"), looks_like_path("keys")
        (True, True, False)
    """
    path = text.strip()
    stem, slash, _ = path.partition("/")
    is_named = bool(slash) or path.lower().endswith(_FILE_ENDINGS)
    return is_named and "<" not in stem and _NOT_IN_A_PATH.isdisjoint(path)


def read_key_text(text: str, /) -> KeyText | None:
    r"""The keys that a text holds, or None if it holds neither JSON nor PEM, not even base64-encoded.

    Raises:
        ValueError: It holds a PEM that cannot be put in order; the message ends a sentence and quotes nothing.

    Example:
        >>> pem = r'"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n'
        >>> found = read_key_text(pem + '-----END PUBLIC KEY-----"')
        >>> print(found.pems[0], end="")
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
    """
    candidate: str | None = _unquoted(text)
    for _ in range(3):  # as it is, base64, and base64 of base64 (a Kubernetes manifest encodes once more)
        if candidate is None:
            return None
        if candidate.startswith("{"):
            return KeyText(json=candidate.encode("utf-8", "surrogatepass"))
        if "-----" in candidate:
            return KeyText(pems=_pem_blocks(candidate))
        candidate = _decoded(candidate)
    return None


def _unquoted(text: str) -> str:
    """The text without the white space, quotes and byte order mark around it."""
    return text.strip("\ufeff\"'` \t\r\n")


def _decoded(text: str) -> str | None:
    """The text whose base64 this is, in either alphabet, or None."""
    packed = re.sub(r"\s+", "", _ESCAPED_BREAK.sub("", text)).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        data = binascii.a2b_base64(packed + "=" * (-len(packed) % 4), strict_mode=True)
        return _unquoted(data.decode("utf-8"))
    except ValueError:
        return None


def _pem_blocks(text: str) -> tuple[str, ...]:
    """Every block of a PEM text, as RFC 7468 wants it."""
    text = _ESCAPED_BREAK.sub("\n", text)
    blocks = _blocks(text)
    if not blocks or len(blocks) < text.count("BEGIN"):
        raise ValueError("holds a PEM that is cut off: a BEGIN line has no END line")
    return tuple(_written(label, body) for label, body in blocks if label.replace(" ", "").upper() not in _NO_KEYS)


def _blocks(text: str) -> list[tuple[str, str]]:
    """The label and the body of every block; of what does not end there is none."""
    found: list[tuple[str, str]] = []
    begun: re.Match[str] | None = None
    for mark in _MARK.finditer(text):
        if mark[1] == "BEGIN":
            begun = begun or mark
        elif begun is not None:
            found.append((begun[2], text[begun.end() : mark.start()]))
            begun = None
    return found


def _written(label: str, body: str) -> str:
    """One block, its body on lines of 64 characters."""
    if "ENCRYPTED" in label + body:
        raise ValueError("holds an encrypted private key; decrypt it first (openssl pkey)")
    packed = re.sub(r"[\s\\\"']+", "", body)
    if packed.startswith("nM"):
        # A shell took the backslashes of the line breaks and left each n. (DER begins with 0x30, its base64 with M.)
        packed = packed.removesuffix("n")
        packed = "".join(packed[start + 1 : start + 1 + _LINE] for start in range(0, len(packed), 1 + _LINE))
    if not _BASE64.fullmatch(packed):
        raise ValueError("holds a PEM whose body is not base64")
    name = label.replace(" ", "").upper()
    name = _LABELS.get(name, label.strip())
    lines = [packed[start : start + _LINE] for start in range(0, len(packed), _LINE)]
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""])
