"""A compact table of marks in memory: some 45 bytes a mark, and never a long pause.

A set or a dict of a million marks costs 110 bytes an entry and more, stops the loop for tens of milliseconds whenever
it grows, and cannot be cleaned in small steps. Here a mark is a record of fixed size in one of 4,096 *pages*. Names are
hashes, so the pages fill evenly; a look-up scans one page at the speed of `bytes.find`, adding appends to one page, and
cleaning rewrites one page. At a million marks each of these is a matter of microseconds.
"""

import struct
from typing import NamedTuple

__all__ = ["Mark", "MarkTable"]

_PAGES = 4096
_RECORD = struct.Struct("=16s16sdc")
_VALUE = struct.Struct("=16sdc")
_NAME_SIZE = 16
_SIZE = _RECORD.size


class Mark(NamedTuple):
    """What is remembered under a name.

    Attributes:
        state: One byte, of the caller's own meaning.
        value: Sixteen bytes, of the caller's own meaning.
        expires: Epoch seconds from which on the mark is forgotten.
    """

    state: bytes
    value: bytes
    expires: float


class MarkTable:
    """Marks by name, each until its time is over.

    Names are sixteen bytes that look random (a hash); what an attacker can choose would fill a single page.
    """

    __slots__ = ("_hand", "_pages")

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._hand = 0

    def __len__(self) -> int:
        """How many marks take up memory, forgotten ones that were not cleaned away yet included."""
        return sum(map(len, self._pages.values())) // _SIZE

    def get(self, name: bytes, /, *, now: float) -> Mark | None:
        """The mark under a name, or None if there is none or its time is over."""
        page = self._pages.get(_page_of(name))
        if page is None:
            return None
        at = _find(page, name)
        if at < 0:
            return None
        value, expires, state = _VALUE.unpack_from(page, at + _NAME_SIZE)
        return Mark(state, value, expires) if expires > now else None

    def put(self, name: bytes, mark: Mark, /) -> None:
        """Remember a mark, instead of the one under that name if there is one."""
        record = _RECORD.pack(name, mark.value, mark.expires, mark.state)
        page = self._pages.setdefault(_page_of(name), bytearray())
        at = _find(page, name)
        if at < 0:
            page += record
        else:
            page[at : at + _SIZE] = record

    def remove(self, name: bytes, /) -> None:
        """Forget the mark under a name, if there is one."""
        page = self._pages.get(_page_of(name), bytearray())
        at = _find(page, name)
        if at >= 0:
            del page[at : at + _SIZE]

    def clean(self, *, now: float) -> None:
        """Let go of the forgotten marks of one page: a bounded step, another page every time."""
        number = self._hand
        self._hand = (number + 1) % _PAGES
        page = self._pages.get(number)
        if page is None:
            return
        kept = [
            page[index * _SIZE : (index + 1) * _SIZE]
            for index, (_, _, expires, _) in enumerate(_RECORD.iter_unpack(page))
            if expires > now
        ]
        if not kept:
            del self._pages[number]
        elif len(kept) * _SIZE < len(page):
            self._pages[number] = bytearray().join(kept)


def _page_of(name: bytes) -> int:
    return (name[0] << 4) | (name[1] >> 4)


def _find(page: bytearray, name: bytes) -> int:
    at = page.find(name)
    # The sixteen bytes may also turn up across two fields; then the search goes on behind them.
    while at >= 0 and at % _SIZE:
        at = page.find(name, at + 1)
    return at
