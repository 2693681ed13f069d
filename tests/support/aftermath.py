"""Everything that a tool may show of an error: its chain, whatever its members hold, and its traceback."""

import pickle
import traceback
from collections.abc import Iterator

__all__ = ["told_by", "whole_chain"]


def whole_chain(error: BaseException, /) -> Iterator[BaseException]:
    """The error, its causes and its contexts, those included that are not to be shown, and all members of groups."""
    found: list[BaseException] = []
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is None or one in found:
            continue
        found.append(one)
        yield one
        ahead += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            ahead += one.exceptions


def told_by(error: BaseException, /) -> str:
    """All that can be read off an error without looking into the frames that it came through."""
    lines = traceback.format_exception(error)
    for one in whole_chain(error):
        # Some have members that `vars` does not show, such as the object of a UnicodeError.
        members = {name: getattr(one, name, None) for name in dir(one) if not name.startswith("__")}
        lines += [repr(one), str(one), repr(one.args), repr(vars(one)), repr(getattr(one, "__notes__", ""))]
        lines += [repr(value) for value in members.values() if not callable(value)]
    lines.append(pickle.dumps(error).decode("latin-1"))
    return "\n".join(lines)
