"""What the texts of settings mean, character by character, by the reference documentation of the settings."""

from datetime import timedelta

from tests.security.fuzz.reference.verdict import Refused

__all__ = ["count", "duration", "names"]

_DIGITS = frozenset("0123456789")
_UNITS = {"d": (86_400, 7), "h": (3_600, 7), "m": (60, 7), "s": (1, 9)}


def duration(text: str) -> timedelta:
    """`90s`, `10m`, `1h30m`, `7d`: numbers, each with its unit, the larger units first, and not nothing."""
    seconds, number, units = 0, "", list(_UNITS)
    for character in text.strip():
        if character in _DIGITS:
            number += character
            continue
        if character not in units or not number:
            raise Refused("duration")
        size, digits = _UNITS[character]
        if len(number) > digits:
            raise Refused("duration")
        seconds += int(number) * size
        number, units = "", units[units.index(character) + 1 :]
    if number or not seconds:
        raise Refused("duration")
    return timedelta(seconds=seconds)


def count(text: str) -> int:
    """A whole number from 1, of at most 18 digits."""
    text = text.strip()
    if not text or len(text) > 18 or not set(text) <= _DIGITS or text[0] == "0":
        raise Refused("count")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
