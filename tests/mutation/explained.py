"""Survivors that no test can, or need, kill: one line each in `survivors.md`, by module."""

from pathlib import Path

__all__ = ["EXPLAINED", "explained"]

EXPLAINED = Path(__file__).with_name("survivors.md")


def explained() -> dict[str, str]:
    """The names of mutants, and why each may live."""
    found: dict[str, str] = {}
    module = ""
    for line in EXPLAINED.read_text("utf-8").splitlines():
        if line.startswith("## `"):
            module = line.removeprefix("## `").removesuffix("`")
        elif line.startswith("- ``"):
            name, _, reason = line.removeprefix("- ``").strip().partition("``: ")
            found[f"{module}:{name.strip()}"] = reason
    return found
