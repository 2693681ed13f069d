"""A compact table of marks in memory: some 65 bytes a mark, nearly as fast at a million as at none, and never a pause.

A dict of a million marks costs 200 bytes an entry and more, stops the loop for tens of milliseconds whenever it grows,
and cannot be cleaned in small steps. Here a mark is a record of fixed size in one of 16,384 *pages*, which names fill
evenly. Adding appends to one page, and cleaning rewrites one page: at a million marks a matter of microseconds.

Beside its records a page has its *tags*: for each record, in the same order, one byte of its name's hash. A look-up
searches the tags, sixteen and more at a time, and compares only the records whose tag fits. So it hardly ever leaves
the few lines of memory that the tags are in; that, and not the search, is what a look-up among a million costs.
"""

import struct
from itertools import compress
from typing import NamedTuple

__all__ = ["NAME_SIZE", "Mark", "MarkTable"]

NAME_SIZE = 22
"""Bytes of a name, and of a value: those of 128 bits in base64url."""

_RECORD = struct.Struct(f"={NAME_SIZE}s{NAME_SIZE}scd")
_SIZE = _RECORD.size
_BUT_NAME = struct.Struct(f"={NAME_SIZE}x{NAME_SIZE}scd")
_EXPIRY = struct.Struct(f"={_SIZE - 8}xd")
_WHOLE = struct.Struct(f"{_SIZE}s")

# Few large objects instead of many small ones: the garbage collector looks at each of them, whatever is inside.
_PAGES = 16_384
_PAGES_A_STEP = 16


class Mark(NamedTuple):
    """What is remembered under a name.

    Attributes:
        state: One byte, of the caller's own meaning.
        value: 22 bytes, of the caller's own meaning.
        expires: Epoch seconds from which on the mark is forgotten.
    """

    state: bytes
    value: bytes
    expires: float


class MarkTable:
    """Marks by name, each until its time is over.

    Names are any 22 bytes. Nobody can choose the page that they end in: the interpreter's own hash decides, which is
    keyed at random when the process starts.
    """

    __slots__ = ("_count", "_hand", "_records", "_tags")

    def __init__(self) -> None:
        self._tags = [b""] * _PAGES
        self._records = [bytearray()] * _PAGES  # all of them the same empty one, until something comes in
        self._count = 0
        self._hand = 0

    def __len__(self) -> int:
        """How many marks take up memory, forgotten ones that were not cleaned away yet included."""
        return self._count

    def get(self, name: bytes, /, *, now: float) -> Mark | None:
        """The mark under a name, or None if there is none or its time is over."""
        hashed = hash(name)
        index = self._find(hashed, name)
        return None if index < 0 else _live(self._records[hashed % _PAGES], index, now)

    def add(self, name: bytes, state: bytes, value: bytes, expires: float, /, *, now: float) -> Mark | None:
        """Remember a mark unless there is one under that name already; the one that was there, or None."""
        hashed = hash(name)
        index = self._find(hashed, name)
        found = None if index < 0 else _live(self._records[hashed % _PAGES], index, now)
        if found is None:
            self._write(hashed, index, _RECORD.pack(name, value, state, expires))
        return found

    def put(self, name: bytes, state: bytes, value: bytes, expires: float, /) -> None:
        """Remember a mark, instead of the one under that name if there is one."""
        hashed = hash(name)
        self._write(hashed, self._find(hashed, name), _RECORD.pack(name, value, state, expires))

    def remove(self, name: bytes, /) -> None:
        """Forget the mark under a name, if there is one."""
        hashed = hash(name)
        index = self._find(hashed, name)
        if index >= 0:
            number = hashed % _PAGES
            tags, records = self._tags[number], self._records[number]
            tags = tags[:index] + tags[index + 1 :]
            del records[index * _SIZE : (index + 1) * _SIZE]
            self._tags[number] = tags
            self._count -= 1

    def clean(self, *, now: float) -> None:
        """Let go of the forgotten marks of the next page: a bounded step, another page every time.

        Where most of a page was forgotten, the pages after it are likely to be like it: then a few more follow.
        """
        for _ in range(_PAGES_A_STEP):
            number = self._hand
            self._hand = (number + 1) % _PAGES
            records = self._records[number]
            live = [expires > now for (expires,) in _EXPIRY.iter_unpack(records)]
            over = live.count(False)
            if over:
                kept = compress(_WHOLE.iter_unpack(records), live)
                records = bytearray().join(record for (record,) in kept)
                tags = bytes(compress(self._tags[number], live))
                self._records[number] = records
                self._tags[number] = tags
                self._count -= over
            if over * 2 < len(live):
                return

    def _find(self, hashed: int, name: bytes) -> int:
        """Which of the records of its page has that name; -1: none."""
        number, tag = hashed % _PAGES, hashed >> 48 & 0xFF
        tags = self._tags[number]
        index = tags.find(tag)
        while index >= 0 and not self._records[number].startswith(name, index * _SIZE):
            index = tags.find(tag, index + 1)
        return index

    def _write(self, hashed: int, index: int, record: bytes) -> None:
        number = hashed % _PAGES
        records = self._records[number]
        if index >= 0:
            records[index * _SIZE : (index + 1) * _SIZE] = record
            return
        if not records:
            records = self._records[number] = bytearray()
        tags = self._tags[number] + (hashed >> 48 & 0xFF).to_bytes()
        # Side by side, with no call between them: nothing that a signal raises may leave a record without its tag.
        records += record
        self._tags[number] = tags
        self._count += 1


def _live(records: bytearray, index: int, now: float) -> Mark | None:
    value, state, expires = _BUT_NAME.unpack_from(records, index * _SIZE)
    return Mark(state, value, expires) if expires > now else None
