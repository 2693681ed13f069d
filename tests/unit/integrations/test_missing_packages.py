"""Who has no web framework is told which extra brings it."""

import sys

import pytest

from mintkey import MissingExtraError


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("fastapi", "mintkey.integrations.fastapi"),
        ("starlette", "mintkey.integrations.fastapi"),
        ("starlette", "mintkey.integrations.starlette"),
        ("starlette", "mintkey.integrations.web"),
        ("starlette", "mintkey.integrations.overrides"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_brings_it(
    package: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package or name.startswith(module)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mintkey\[fastapi\]'"):
        __import__(module)


def test_cookies_and_challenges_need_no_framework() -> None:
    import subprocess

    code = (
        "import sys; sys.modules['starlette'] = None; "
        "import mintkey.integrations.bearer, mintkey.integrations.cookies; print('fastapi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
