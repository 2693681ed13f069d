"""What the processes of a soak write down, each in a file that is only appended to: a line before a call, one after."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Diary", "Entry", "Tail", "entries"]

Entry = dict[str, Any]


class Diary:
    """One process's file. What was written is there, whatever the process dies of next."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._file = os.open(directory / f"{name}.diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._calls = 0

    def write(self, what: str, **said: object) -> None:
        os.write(self._file, json.dumps({"what": what, "at": time.time(), **said}).encode() + b"\n")

    def begin(self, what: str, **said: object) -> str:
        """Write that a call begins; the id for `end`."""
        self._calls += 1
        call = f"{self.name}:{self._calls}"
        self.write(what, call=call, **said)
        return call

    def end(self, call: str, outcome: str, **said: object) -> None:
        """Write what came of a call. One without this line may have done its work, or not."""
        self.write("end", call=call, outcome=outcome, **said)


class Tail:
    """What others write into their files, as whole lines appear there."""

    def __init__(self, directory: Path, pattern: str = "*.diary") -> None:
        self._directory = directory
        self._pattern = pattern
        self._read: dict[Path, int] = {}

    def entries(self) -> Iterator[Entry]:
        """What was written since the last time, by one process after the other."""
        for path in sorted(self._directory.glob(self._pattern)):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                yield json.loads(line)


def entries(directory: Path) -> list[Entry]:
    """Everything, in the order in which it happened."""
    return sorted(Tail(directory).entries(), key=lambda entry: entry["at"])
