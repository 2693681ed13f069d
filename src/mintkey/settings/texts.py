"""From the text of a setting to its value, and from a value to a text for people.

What cannot be read is a ValueError whose message ends a sentence that begins with the setting's name, and quotes
nothing: the text may be a secret that went to the wrong place.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from mintkey.errors import ConfigurationError
from mintkey.jose.algorithms import SPECS
from mintkey.keys.base import Algorithm
from mintkey.keys.key_sources import key_source
from mintkey.keys.sealing import Sealer
from mintkey.settings import durations

__all__ = [
    "NOT_SET",
    "read_algorithm",
    "read_count",
    "read_duration",
    "read_keys",
    "read_names",
    "read_seal_keys",
    "seal_keys_in",
    "show_keys",
    "show_or",
    "show_seal_keys",
]

NOT_SET = "not set"
"""What is shown of a setting that has neither value nor default."""

# The base64 of a key that lost its BEGIN and END lines, or a JWK its beginning, passes for a path if it has a / in it.
_KEY_LIKE = re.compile(r"[A-Za-z0-9+=]{24}|[\"{}]")
_COUNT = re.compile(r"[1-9][0-9]{0,17}")


def seal_keys_in(text: str | None, /) -> list[str]:
    """The seal keys in a text that holds one or several, with commas or line breaks between them.

    Example:
        >>> seal_keys_in("first, second")
        ['first', 'second']
    """
    if not text or not text.strip():
        return []
    lines = [[line.strip() for line in part.split("\n") if line.strip()] for part in text.strip().split(",")]
    return [key for keys in lines for key in keys or [""]]  # nothing between two commas is a key that is missing


def read_duration(text: str, /, *, words: Mapping[str, timedelta] = MappingProxyType({})) -> timedelta:
    """A duration like `90s`, `10m`, `1h30m` or `7d`.

    Args:
        text: The text.
        words: What may stand there instead.

    Raises:
        ValueError: It is neither.

    Example:
        >>> read_duration("1h30m")
        datetime.timedelta(seconds=5400)
    """
    word = text.strip()
    return words[word] if word in words else durations.parse(word)


def read_algorithm(text: str, /) -> Algorithm:
    """The name of an algorithm that we know.

    Raises:
        ValueError: It is none.

    Example:
        >>> read_algorithm("ES256")
        'ES256'
    """
    for name in SPECS:
        if name == text.strip():
            return name
    raise ValueError(f"must be one of {', '.join(SPECS)}")


def read_count(text: str, /) -> int:
    """A whole number from 1.

    Raises:
        ValueError: It is none.

    Example:
        >>> read_count("1000")
        1000
    """
    if _COUNT.fullmatch(text.strip()) is None:
        raise ValueError("must be a whole number from 1")
    return int(text)


def read_names(text: str, /) -> tuple[str, ...]:
    """The names in a text, with commas between them.

    Example:
        >>> read_names("web, app")
        ('web', 'app')
    """
    return tuple(name for name in map(str.strip, text.split(",")) if name)


def read_seal_keys(text: str, /) -> str:
    """The text itself, once every key in it was found good.

    Raises:
        ValueError: There is none, or one cannot be used.

    Example:
        >>> key = Sealer.generate_key()
        >>> read_seal_keys(key) == key
        True
    """
    try:
        Sealer(seal_keys_in(text))
    except ConfigurationError as error:
        problem = f"cannot be used: {error}"
    else:
        return text
    raise ValueError(problem)  # outside, so that it drags along nothing that was handed the keys


def read_keys(text: str, /) -> str:
    """The text itself, once it was found to hold keys or to be a path. Reads no file.

    Raises:
        ValueError: It is neither.

    Example:
        >>> read_keys("/run/secrets/keys")
        '/run/secrets/keys'
    """
    try:
        key_source("", text, may_be_path=True)
    except ConfigurationError as error:
        problem = str(error).strip()
    else:
        return text
    raise ValueError(problem)


def show_or(absent: str, show: Callable[[Any], str], /) -> Callable[[Any], str]:
    """How to show a value that may be absent.

    Example:
        >>> show_or("none", str)(None), show_or("none", str)(5)
        ('none', '5')
    """
    return lambda value: absent if value is None else show(value)


def show_seal_keys(text: str, /) -> str:
    """How many keys there are.

    Example:
        >>> show_seal_keys("first, second")
        'set (2 keys)'
    """
    count = len(seal_keys_in(text))
    return f"set ({count} {'key' if count == 1 else 'keys'})"


def show_keys(text: str, /) -> str:
    """Where keys are, or that they are here.

    Example:
        >>> show_keys("/run/secrets/keys")
        '/run/secrets/keys'
    """
    source = key_source("", text, may_be_path=True)
    if source.content is None:
        return "set (a path)" if _KEY_LIKE.search(source.path) else source.path
    return "set (JSON)" if source.content.json else "set (PEM)"
