"""Durations as people write them: `90s`, `10m`, `1h30m`, `7d`."""

import re
from datetime import timedelta

__all__ = ["as_text", "parse"]

_FORM = re.compile(r"(?:([0-9]{1,7})d)?(?:([0-9]{1,7})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def parse(text: str, /) -> timedelta:
    """The duration that a text like `90s`, `10m`, `1h30m` or `7d` means.

    Raises:
        ValueError: It means none, or nothing at all. The message never quotes the text.

    Example:
        >>> parse("1h30m")
        datetime.timedelta(seconds=5400)
    """
    found = _FORM.fullmatch(text.strip())
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found is not None else (0, 0, 0, 0)
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise ValueError("must be a positive duration like 90s, 10m, 1h30m or 7d")
    return duration


def as_text(duration: timedelta, /) -> str:
    """A duration in its two largest units, rounded down; a negative one counts as none.

    Example:
        >>> as_text(timedelta(hours=23, minutes=50, seconds=12))
        '23 h 50 min'
    """
    left = max(0, int(duration.total_seconds()))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
