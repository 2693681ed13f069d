"""The room offers what it says, lazily, each name with an example."""

import inspect
import subprocess
import sys

import pytest

import mintkey.bus


@pytest.mark.parametrize("name", mintkey.bus.__all__)
def test_every_name_is_there_and_has_an_example(name: str) -> None:
    assert "Example:" in (inspect.getdoc(getattr(mintkey.bus, name)) or "")


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        mintkey.bus.no_such_name  # noqa: B018 - the access is the test


def test_importing_the_room_does_not_import_redis() -> None:
    code = "import sys, mintkey.bus; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
