"""What signs in tests of threads: says what it signed, notes where, and waits if it is told to."""

import asyncio
import threading
from datetime import timedelta

from mintkey.testing import FakeClock

__all__ = ["Held", "Signer", "echo"]


def echo(signing_input: bytes) -> bytes:
    return b"signed " + signing_input


class Signer:
    """Signs by telling its input, notes in which thread, and takes as long as it is told on a clock that it moves."""

    def __init__(self, clock: FakeClock | None = None, takes: timedelta = timedelta(0)) -> None:
        self.clock = clock
        self.takes = takes
        self.signed: list[bytes] = []
        self.threads: list[int] = []

    def __call__(self, signing_input: bytes) -> bytes:
        self.signed.append(signing_input)
        self.threads.append(threading.get_ident())
        if self.clock is not None:
            self.clock.advance(self.takes)
        return echo(signing_input)

    @property
    def here(self) -> int:
        """How many signatures were made in the thread that asks."""
        return self.threads.count(threading.get_ident())


class Held(Signer):
    """Signs only when it is let go, and tells the loop in which it was made that somebody is at it."""

    def __init__(self) -> None:
        super().__init__()
        self.running = asyncio.Event()
        self.release = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, signing_input: bytes) -> bytes:
        self._loop.call_soon_threadsafe(self.running.set)
        self.release.wait(5)
        return super().__call__(signing_input)
