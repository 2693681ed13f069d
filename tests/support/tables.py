"""What the tables of backends are made of."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest

__all__ = ["Open", "on"]

H = TypeVar("H")
Open = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[H]]
"""Opens a harness for one test."""


def on(fixture: str, open_harness: Callable[[Any], AbstractAsyncContextManager[H]]) -> Open[H]:
    """A harness on what a fixture gives: an empty directory, an empty server."""
    return lambda request: open_harness(request.getfixturevalue(fixture))
