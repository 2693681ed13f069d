"""Which files a copy of a process is refused; over real forks: `tests/faults/test_forks.py`."""

import pytest

from mintkey.sql.sqlite_copies import _Files

FILE, OTHER = (1, 10), (1, 20)


def test_a_copy_is_refused_what_is_in_use():
    files = _Files()
    in_use = [files.use(FILE), files.use(FILE)]
    in_use.pop()
    files.become_copy()
    for _ in range(2):
        with pytest.raises(OSError, match="forked off"):
            files.use(FILE)
    assert files.use(OTHER).identity == OTHER


def test_a_copy_may_use_what_was_closed():
    files = _Files()
    files.use(FILE)
    files.become_copy()
    assert files.use(FILE).identity == FILE


def test_a_copy_of_the_copy_is_refused_the_same():
    files = _Files()
    in_use = [files.use(FILE)]
    files.become_copy()
    in_use += [files.use(OTHER)]
    files.become_copy()
    for file in (FILE, OTHER):
        with pytest.raises(OSError, match="forked off"):
            files.use(file)


def test_what_is_in_memory_belongs_to_nobody_else():
    files = _Files()
    in_use = [files.use(None)]
    files.become_copy()
    assert in_use
    assert files.use(None).identity is None
