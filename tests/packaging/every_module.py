"""Imports every module of an installed mintkey: `python -I every_module.py [what is installed besides]`.

Without an extra, a module either works or names the extra that it needs; with that extra it works. What belongs to no
extra's public modules, as the rooms behind the command line, may miss a package by its bare name.
"""

import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator

import mintkey

# Whose rooms are reached through a door that says it: the command, and pytest.
_DOORS = {
    "mintkey.cli": "cli",
    "mintkey.integrations.settings_reading": "settings",
    "mintkey.integrations.spans": "otel",
    "mintkey.testing": "pytest",
}


def modules() -> Iterator[str]:
    """All of them, but for what runs when it is imported."""
    found = pkgutil.walk_packages(mintkey.__path__, "mintkey.", onerror=lambda _: None)
    return (module.name for module in found if not module.name.endswith(".__main__"))


def missing(name: str) -> str | None:
    """The extra that a module wants, or none if it works."""
    try:
        importlib.import_module(name)
    except mintkey.MissingExtraError as error:
        found = re.search(r"mintkey\[(\w+)\]", str(error))
        if found is None:
            raise
        return "cli" if name.startswith("mintkey.cli.") else found[1]
    except ModuleNotFoundError as error:
        for room, extra in _DOORS.items():
            if error.name is not None and not error.name.startswith("mintkey") and f"{name}.".startswith(f"{room}."):
                return extra
        raise
    return None


def main(installed: set[str]) -> int:
    """Print what works and what is wanted; fail if something is wanted that is installed."""
    wanted = {name: extra for name in modules() if (extra := missing(name)) is not None}
    broken = {name: extra for name, extra in wanted.items() if extra in installed}
    print(json.dumps({"works": sum(1 for _ in modules()) - len(wanted), "wants": sorted(set(wanted.values()))}))  # noqa: T201
    print(*(f"{name} is said to need {extra}, which is installed" for name, extra in broken.items()), sep="\n")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
