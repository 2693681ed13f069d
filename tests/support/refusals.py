"""How a key is refused: in words, and without a value of it."""

from typing import Any

import pytest

from mintkey.errors import ConfigurationError
from mintkey.jose.jwk import load_jwk

__all__ = ["refuse"]


def refuse(jwk: Any, problem: str, **options: Any) -> None:
    """Assert that loading names the problem and the source, and shows nothing of the key."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        load_jwk(jwk, source="the source", **options)
    shown = f"{caught.value!r} {caught.value.details}"
    assert "the source: " in shown
    assert caught.value.__cause__ is caught.value.__context__ is None
    values = [value for value in dict(jwk).values() if isinstance(value, str)] if isinstance(jwk, dict) else []
    assert not [value for value in values if len(value) > 16 and value in shown]
