"""The path that a call takes through our code: every instruction of it, in order. No clock, so no noise."""

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from mintkey.errors import MintkeyError

__all__ = ["Path", "path_of"]

Path = tuple[tuple[str, int], ...]
"""The instructions that were executed: the function, and which of its instructions."""

_ROOMS = ("/mintkey/", "/tests/security/timing/")


def path_of(call: Callable[[], object], /) -> Path:
    """The path of a call that does not wait, whatever it raises of ours."""
    steps: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if not any(room in frame.f_code.co_filename for room in _ROOMS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            steps.append((frame.f_code.co_qualname, frame.f_lasti))
        return trace

    before = sys.gettrace()
    for _ in range(2):  # a function tells of its instructions from the second time on
        steps.clear()
        sys.settrace(trace)
        try:
            with suppress(MintkeyError):
                call()
        finally:
            sys.settrace(before)
    return tuple(step for step in steps if step[0] != path_of.__qualname__)
