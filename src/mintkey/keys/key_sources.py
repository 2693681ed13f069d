"""Where an operator keeps keys: in the text of a setting, in a file that it names, or in a directory of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mintkey.claims import strict_json
from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import LoadedKey, load_jwk, load_pem
from mintkey.keys.base import Algorithm
from mintkey.keys.key_text import KeyText, is_placeholder, looks_like_path, read_key_text

__all__ = ["KeySource", "key_source", "load_sources"]

_MAX_FILE_BYTES = 1024 * 1024
_LONGEST_CHEAP_PEM = 1000  # no private key on a curve has as many characters, every private RSA key has more


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """A setting that holds keys, or names where they are.

    Attributes:
        name: What to call it in an error: the setting's name.
        kid: The id of its key, if the key has none of its own.
        content: The keys themselves; None: they are in a file or directory.
        path: The file or directory.
    """

    name: str
    kid: str | None = None
    content: KeyText | None = field(default=None, repr=False)
    path: str = field(default="", repr=False)

    @property
    def is_slow(self) -> bool:
        """Whether loading it belongs into a thread: there is a file to read, or a private RSA key to test."""
        if self.content is None:
            return True
        if self.content.json:
            return b'"RSA"' in self.content.json and b'"d"' in self.content.json
        return any(len(pem) > _LONGEST_CHEAP_PEM for pem in self.content.pems)


def key_source(name: str, text: str, /, *, kid: str | None = None, may_be_path: bool) -> KeySource:
    """The source that the text of a setting is. Reads no file.

    Args:
        name: The setting's name.
        text: Its value, in whatever state it arrived.
        kid: The id of its key, if the key has none of its own.
        may_be_path: Whether it may name a file or a directory.

    Raises:
        ConfigurationError: It is none; the message names the setting and never its value (`configuration`).
    """
    wanted = "a JWK Set, a JWK, a PEM, or a path with a / in it" if may_be_path else "a PEM or a JWK"
    try:
        content = read_key_text(text)
    except ValueError as error:
        problem = f"{name} {error}"
    else:
        if content is not None:
            return KeySource(name=name, kid=kid, content=content)
        if may_be_path and looks_like_path(text):
            return KeySource(name=name, path=text.strip())
        problem = f"{name} {'still holds a placeholder; it takes' if is_placeholder(text) else 'is not'} {wanted}"
    raise ConfigurationError(problem)


def load_sources(sources: Iterable[KeySource], /, *, algorithm: Algorithm | None) -> list[LoadedKey]:
    """All keys of all sources; a public key beside its own private half counts once. Blocks.

    Args:
        sources: Where to look.
        algorithm: What a key is for that does not say so itself.

    Raises:
        ConfigurationError: A file cannot be read, a key is refused, or two different keys have one kid; all problems at
            once, with the setting's name and without its value (`configuration`).
    """
    problems: list[str] = []
    found: dict[str, LoadedKey] = {}
    for source in sources:
        for key in _keys_of(source, algorithm, problems):
            known = found.setdefault(key.kid, key)
            if known is key:
                continue
            if key.public_jwk is None or known.public_jwk != key.public_jwk:
                problems.append(f"{source.name} holds a key with the kid {key.kid!r}, which another key has already")
            elif known.private_jwk is None:
                found[key.kid] = key
    ConfigurationError.raise_if(problems)
    return list(found.values())


def _keys_of(source: KeySource, algorithm: Algorithm | None, problems: list[str]) -> Iterator[LoadedKey]:
    """The keys that a source holds; what is wrong with the others goes to the problems."""
    if source.content is not None:
        yield from _load(source.name, source.content, source.kid, algorithm, problems)
        return
    for label, path in _files(source, problems):
        try:
            content = _read_file(path)
        except OSError:
            problems.append(f"{label} cannot be read")
        except ValueError as error:
            problems.append(f"{label} {error}")
        else:
            yield from _load(label, content, source.kid, algorithm, problems)


def _load(
    name: str, text: KeyText, kid: str | None, algorithm: Algorithm | None, problems: list[str]
) -> Iterator[LoadedKey]:
    parts: Sequence[object] = _jwks(name, text.json, problems) if text.json else text.pems
    for position, part in enumerate(parts, start=1):
        label = name if len(parts) == 1 else f"{name}, key {position}"
        try:
            if isinstance(part, str):
                yield load_pem(part, source=label, algorithm=algorithm, kid=kid)
            else:
                yield load_jwk(cast("Mapping[str, Any]", part), source=label, algorithm=algorithm, kid=kid)
        except ConfigurationError as error:
            problems.append(str(error))


def _jwks(name: str, json: bytes, problems: list[str]) -> Sequence[object]:
    """The JWKs in JSON: those of a set, or the one."""
    try:
        document = strict_json.loads(json)
    except strict_json.StrictJSONError as error:
        problems.append(f"{name}: {error}")
        return ()
    keys = document.get("keys", [document])
    if isinstance(keys, list):
        return cast("list[object]", keys)
    problems.append(f'{name}: not a JWK Set: "keys" is no list')
    return ()


def _files(source: KeySource, problems: list[str]) -> list[tuple[str, Path]]:
    """The file that a source names, or all files of its directory but the hidden ones (Kubernetes has its own)."""
    try:
        path = Path(source.path).expanduser()
        if path.is_file():  # a FIFO or a device would make us wait
            return [(f"the file of {source.name}", path)]
        if path.is_dir():
            files = sorted(entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_file())
            return [(f"file {file.name!r} of {source.name}", file) for file in files]
        problems.append(f"{source.name} names no file or directory")
    except (OSError, RuntimeError):  # RuntimeError: nobody's home directory
        problems.append(f"{source.name} names a file or directory that cannot be read")
    return []


def _read_file(path: Path) -> KeyText:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError("is too large for keys")
    content = read_key_text(data.decode("utf-8", "replace"))
    if content is None:
        raise ValueError("holds neither JSON nor PEM")
    return content
