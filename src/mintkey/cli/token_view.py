"""Tokens for people: what is in one that was checked, and what is written in one that was not."""

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from mintkey.cli.inspection import WARNING, Inspection
from mintkey.cli.moments import moment
from mintkey.cli.render import glyphs, show_facts, stdout
from mintkey.tokens import PeekedToken, VerifiedToken

__all__ = ["show_inspected", "show_seen"]


def show_seen(seen: VerifiedToken[dict[str, Any]] | PeekedToken[dict[str, Any]], verdict: str, /) -> None:
    """A token that passed every check."""
    console = stdout()
    console.print(Text(f"{glyphs(console).yes} {verdict}", style="bold green"))
    pairs = {
        "purpose": seen.purpose,
        "subject": seen.subject or "",
        "issuer": seen.issuer,
        "audience": ", ".join(seen.audience),
        "scopes": " ".join(sorted(seen.scopes)),
        "id": seen.id,
        "issued": moment(seen.issued_at),
        "expires": moment(seen.expires_at),
        "key": seen.key_id,
        **{f"claim {name}": json.dumps(value, ensure_ascii=False) for name, value in seen.claims.items()},
    }
    show_facts(console, {name: value for name, value in pairs.items() if value})


def show_inspected(found: Inspection, /) -> None:
    """What is written in a token that nobody vouches for."""
    console = stdout()
    console.print(Text(WARNING, style="bold red"))
    show_facts(console, dict(_inspected(found)))


def _inspected(found: Inspection) -> Iterator[tuple[str, str]]:
    for name, value in found.header.items():
        yield f"header {name}", json.dumps(value, ensure_ascii=False)
    if found.typ_fits is not None:
        yield "typ fits", "yes" if found.typ_fits else "no, it was minted for another purpose"
    yield "claims", ", ".join(f"{name} ({kind})" for name, kind in found.claims.items()) or "none"
    for name, instant in found.times.items():
        yield name.replace("_at", "").replace("_", " "), moment(instant)
