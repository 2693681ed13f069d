"""The examples of the RFCs, as data."""

import json
from pathlib import Path
from typing import Any


def load(name: str) -> Any:
    """The examples of one RFC, as in `"rfc7515"`."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
