"""Consumers of a bus as processes: `python -m tests.support.bus_workers consume URL FILE DEATHS`."""

import os
import signal
from datetime import timedelta

from mintkey.bus import Delivered, EventBus
from tests.support.buses import SEALER, Numbered
from tests.support.processes import perform

GROUP = "fleet"
SECOND = timedelta(seconds=1)
DEADLY = 1997
"""Whoever is the first to handle a multiple of this dies of it: handled, and nobody was told."""


def bus_of(url: str) -> EventBus:
    return EventBus(url, sealer=SEALER, events=[Numbered], max_length=20_000, timeout=timedelta(seconds=20))


async def consume(url: str, file: str, deaths: str) -> object:
    """Write the number of each event into a file, until killed; who dies of one leaves its number among the deaths."""
    handled = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def handle(delivered: Delivered) -> None:
        assert isinstance(delivered.event, Numbered)
        number = delivered.event.number
        os.write(handled, b"%d\n" % number)
        if number and number % DEADLY == 0:
            try:
                os.close(os.open(f"{deaths}/{number}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

    async with bus_of(url) as bus:
        await bus.consume(handle, group=GROUP, handler_timeout=SECOND)
    return "never"


if __name__ == "__main__":
    perform({"consume": consume})
