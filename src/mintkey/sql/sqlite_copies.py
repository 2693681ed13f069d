"""Which SQLite files this process may not open, because the process that it is a copy of has them open.

SQLite notes which locks the process has on a file, and asks the system for those only that it has not noted. A fork
copies the notes, but the system gives a copy none of the locks. So the copy goes without them, on new connections too:
when all others close the file, the write-ahead log is deleted under the copy, and what it commits from then on is lost,
a spent mark for instance. And a lock that a thread had at the moment of the fork is noted for ever.
"""

import os
from collections.abc import Callable
from weakref import WeakSet

__all__ = ["Identity", "Use", "use"]

Identity = tuple[int, int] | None
"""Device and inode of a file; None in memory, or if there is none."""


class Use:
    """The use of a file, which goes on for as long as somebody has this.

    Args:
        identity: Which file it is.
    """

    __slots__ = ("__weakref__", "identity")

    def __init__(self, identity: Identity, /) -> None:
        self.identity: Identity = identity


class _Files:
    """The files that are in use in this process, and those that were when it was forked off."""

    def __init__(self) -> None:
        self._uses = WeakSet[Use]()
        self._inherited = set[Identity]()

    def use(self, identity: Identity, /) -> Use:
        if identity is not None and identity in self._inherited:
            raise OSError(
                "this process was forked off by one that had the file open, and SQLite could lose what it commits: "
                "fork before the file is used, or use a database server"
            )
        use = Use(identity)
        self._uses.add(use)
        return use

    def become_copy(self) -> None:
        self._inherited.update(use.identity for use in self._uses)
        self._uses = WeakSet[Use]()


# SQLite's notes belong to the process, whatever objects there are.
_files = _Files()
_at_fork: Callable[..., object] = getattr(os, "register_at_fork", dict)  # where nobody forks, a call that does nothing
_at_fork(after_in_child=_files.become_copy)
use: Callable[[Identity], Use] = _files.use
"""Begin to use a file: before SQLite opens it, and until after it is closed.

Raises:
    OSError: It was in use in the process that this one was forked off by.
"""
