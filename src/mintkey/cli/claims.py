"""From `--claim name=json` to private claims."""

from collections.abc import Sequence
from typing import Any

from mintkey.claims import strict_json

__all__ = ["read_claims"]


def read_claims(given: Sequence[str], problems: list[str], /) -> dict[str, Any]:
    """The claims, each value read as strict JSON.

    Args:
        given: Texts of the form `name=json`.
        problems: What is wrong is added here, never with a value.
    """
    claims: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            problems.append("--claim must have the form name=json, as in --claim plan='\"pro\"' or --claim seats=5")
        elif name in claims:
            problems.append(f"--claim {name} is given twice")
        else:
            claims[name] = _value(name, value, problems)
    return claims


def _value(name: str, text: str, problems: list[str]) -> Any:
    # The one strict reader takes objects: wrapped in one, the text cannot add a member without being found out.
    try:
        wrapped = strict_json.loads(b'{"value":%b}' % text.encode())
    except ValueError:
        wrapped = {}
    if wrapped.keys() != {"value"}:
        problems.append(f"--claim {name}: the value is not JSON; text needs quotes, as in --claim {name}='\"…\"'")
    return wrapped.get("value")
