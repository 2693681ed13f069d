"""The contracts tell what comes of waiting; what becomes of those who wait in vain is tested with the waiting."""

import pytest

from mintkey.keys import engine, minting, refresh


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a moment is no store that is away."""
    for module in (engine, minting, refresh):
        monkeypatch.setattr(module, "_PATIENCE", 20.0)
    monkeypatch.setattr(engine, "_LONG_PATIENCE", 20.0)
