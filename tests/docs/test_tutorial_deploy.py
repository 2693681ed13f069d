"""What the second tutorial says of packages and settings is so. `tests/fleet/test_first_hour.py` follows it."""

import re
from datetime import timedelta
from importlib.metadata import distribution

from mintkey.settings.table import OUTAGE_TOLERANCE, ROTATE_EVERY, SETTINGS, variable_of
from tests.docs.page import Page

PAGE = Page("tutorial/deploy")


def test_what_is_installed_exists() -> None:
    (extras,) = re.findall(r"^pip install 'mintkey\[([\w,]+)\]'$", PAGE.text, re.MULTILINE)
    assert set(extras.split(",")) <= set(distribution("mintkey").metadata.get_all("Provides-Extra") or [])


def test_every_variable_is_one() -> None:
    named = {name.removesuffix("_FILE") for name in re.findall(r"MINTKEY_[A-Z_]+\b", PAGE.text) if name[-1] != "_"}
    assert named <= {variable_of(name) for name in SETTINGS}


def test_the_times_are_the_defaults() -> None:
    assert "`MINTKEY_OUTAGE_TOLERANCE`, ten minutes" in PAGE.text
    assert OUTAGE_TOLERANCE.default == timedelta(minutes=10)
    assert "every 30 days" in PAGE.text
    assert ROTATE_EVERY.default == timedelta(days=30)
