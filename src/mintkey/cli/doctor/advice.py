"""What the figure of a check counts, and what to do when the check is not ok."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from mintkey.health import Check
from mintkey.settings import durations

__all__ = ["advice_on", "figure_of", "unit_of"]

_MILLISECONDS, _SECONDS, _VERSIONS, _SHARE, _REPLICAS = "ms", "s", "versions", "share", "replicas"


@dataclass(frozen=True, slots=True)
class _About:
    """What there is to say about a check.

    Attributes:
        unit: What its figure counts.
        remedy: What to do when it is not ok.
    """

    unit: str
    remedy: str


_EVICTION = _About(
    _SHARE,
    "Set maxmemory-policy to noeviction: when memory is short this server forgets keys and spent tokens, which could "
    "then be used again.",
)
_ROLE = _About(
    _REPLICAS,
    "This server takes no writes. Give --store the URL of the master, or of Sentinel (redis+sentinel://…), which finds "
    "it.",
)
_DURABILITY = _About(
    "",
    "Set synchronous_commit to on (PostgreSQL), or synchronous to FULL (SQLite): as it is, a crash of the database "
    "takes back answers that were given, and spent tokens could be used again.",
)
_ABOUT: Mapping[str, _About] = MappingProxyType(
    {
        "keys": _About(
            _VERSIONS,
            "No version of the key can sign or verify from here. Check --store, --ring, and that MINTKEY_SEAL_KEYS "
            "holds the keys that seal those of the application.",
        ),
        "keys.store": _About(
            _MILLISECONDS,
            "The store does not answer. Is it running, is --store its URL, may this machine connect to it? Until it "
            "is back, processes at work go on for MINTKEY_OUTAGE_TOLERANCE.",
        ),
        "keys.ring": _About(_SECONDS, "What is known of the ring is too old. See keys.store."),
        "keys.rotation": _About(
            _SECONDS,
            "A rotation is overdue: no process that mints is at work, or none can write to the store. The next mint "
            "rotates, and so does `mintkey keys rotate`. Is MINTKEY_ROTATE_EVERY what the application has?",
        ),
        "keys.successor": _About(
            _SECONDS,
            "There is no next version that could take over at once. The next change of the ring makes one, as "
            "`mintkey keys rotate` does.",
        ),
        "keys.clock": _About(
            _SECONDS,
            "The clocks of this machine and of the store differ by more than MINTKEY_MAX_CLOCK_SKEW: set both by NTP. "
            "Keys rotate, and tokens expire, by the wrong time.",
        ),
        "keys.eviction": _EVICTION,
        "keys.role": _ROLE,
        "keys.durability": _DURABILITY,
        "replay": _About(
            _MILLISECONDS,
            "Nobody can tell whether a token was spent, so tokens for single use are refused. Check --store and its "
            "permissions.",
        ),
        "replay.eviction": _EVICTION,
        "replay.role": _ROLE,
        "replay.durability": _DURABILITY,
    }
)
_UNKNOWN = _About("", "This part cannot do its work. Look at the logs of the application, and at the store itself.")


def unit_of(name: str, /) -> str | None:
    """What the figure of a check counts; None if that is not known, or nothing.

    Example:
        >>> unit_of("keys.store")
        'ms'
    """
    return _ABOUT.get(name, _UNKNOWN).unit or None


def figure_of(name: str, check: Check, /) -> str:
    """The figure of a check with its unit, for people; empty where it says nothing.

    Example:
        >>> figure_of("keys.rotation", Check(ok=False, word="overdue", figure=4000))
        '1 h 6 min'
    """
    match unit_of(name):
        case "ms":
            return f"{check.figure:.1f} ms" if check.figure else ""
        case "s":
            return _seconds(check.figure)
        case "versions":
            return f"{check.figure:.0f} {'version' if check.figure == 1 else 'versions'}"
        case "share":
            return f"{check.figure:.0%} of its memory" if check.figure else ""
        case "replicas":
            return f"{check.figure:.0f} {'replica' if check.figure == 1 else 'replicas'}" if check.figure else ""
        case _:
            return f"{check.figure:g}" if check.figure else ""


def advice_on(name: str, check: Check, /) -> str | None:
    """What to do about a check; None if it is ok.

    Example:
        >>> advice_on("keys.store", Check(ok=True, word="reachable", figure=1)) is None
        True
    """
    return None if check.ok else _ABOUT.get(name, _UNKNOWN).remedy


def _seconds(figure: float) -> str:
    if not figure:
        return ""
    size = abs(figure)
    text = f"{size:.1f} s" if size < 60 else durations.as_text(timedelta(seconds=size))  # noqa: PLR2004 - a minute
    return f"-{text}" if figure < 0 else text
