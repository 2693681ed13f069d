"""Packages that only the benchmarks need: a laptop may do without, CI may not."""

import importlib.util
import os

import pytest

__all__ = ["require"]


def require(*packages: str) -> None:
    """Skip the test where one of them is missing; fail in CI."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        reason = f"{' and '.join(missing)} cannot be imported (the dependency group bench)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
