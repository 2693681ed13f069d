"""The reference has every public name once, and says of errors, settings and commands what the code does."""

import ast
import importlib
import inspect
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

import mintkey
from mintkey import BackendError, ConfigurationError, InvalidTokenError, MintkeyError, Reason, TokenService, presets
from mintkey.cli.outcome import ExitCode
from mintkey.keys import MemoryKeyProvider
from mintkey.replay import MemoryReplayStore
from mintkey.settings import durations
from mintkey.settings.lookup import Lookup
from mintkey.settings.table import RING, variable_of
from mintkey.testing import FaultyReplayStore, StoreFault
from tests.docs.examples import API, DOCUMENTED
from tests.docs.page import DOCS, Page
from tests.unit.test_surface import ROOMS

MODULES = {module for module, _ in DOCUMENTED}

ERRORS = Page("reference/errors")
SETTINGS = Page("reference/settings")
CLI = Page("reference/cli")


def test_no_name_is_documented_twice():
    assert [each for each, times in Counter(DOCUMENTED).items() if times > 1] == []
    found = [getattr(importlib.import_module(module), name) for module, name in DOCUMENTED]
    assert [value for value, times in Counter(map(id, found)).items() if times > 1] == []


def test_every_room_is_in_the_reference():
    assert {room.__name__ for room in ROOMS} <= MODULES


@pytest.mark.parametrize("name", [room.__name__ for room in ROOMS], ids=str)
def test_every_name_of_a_room_is_in_the_reference(name):
    documented_elsewhere = {id(getattr(importlib.import_module(module), each)) for module, each in DOCUMENTED}
    text = "".join(path.read_text(encoding="utf-8") for path in API)
    room = importlib.import_module(name)
    for offered in room.__all__:
        if (name, offered) not in DOCUMENTED:
            is_module = hasattr(getattr(room, offered), "__all__")
            told = f"{name}.{offered}" in MODULES if is_module else id(getattr(room, offered)) in documented_elsewhere
            assert told or f"`{name}.{offered}`" in text, offered
            assert f"`{offered}`" in text or f"`{name}.{offered}`" in text, offered


async def test_the_three_classes_to_catch_have_the_statuses_that_are_told(mintkey_clock):
    status_of = ERRORS.names()["status_of"]
    store = FaultyReplayStore(MemoryReplayStore(clock=mintkey_clock))
    purpose = presets.MAGIC_LINK
    keys = MemoryKeyProvider(clock=mintkey_clock)
    async with TokenService(issuer="https://issuer.test", keys=keys, replay=store, clock=mintkey_clock) as tokens:
        token = await tokens.mint(purpose, subject="20")
        store.fail(StoreFault.BEFORE)
        assert await status_of(tokens, token, purpose) == (503, Reason.REPLAY_UNAVAILABLE)
        assert await status_of(tokens, token, purpose) == (200, "")
        assert await status_of(tokens, token, purpose) == (401, Reason.REPLAYED)
        assert await status_of(tokens, "nonsense", purpose) == (401, Reason.MALFORMED)
        with pytest.raises(ConfigurationError):
            await tokens.mint(purpose, subject="20", lifetime=timedelta(days=1))
    told = [row[0].strip("`") for row in ERRORS.rows("What to catch")[1:]]
    assert told == [error.__name__ for error in (InvalidTokenError, BackendError, ConfigurationError)]


def test_every_reason_says_when_it_comes():
    source = Path(inspect.getfile(Reason)).read_text(encoding="utf-8")
    said = re.findall(r'^    ([A-Z_]+) = .*\n    """(.+)"""$', source, re.MULTILINE)
    assert [name for name, _ in said] == [reason.name for reason in Reason]


def test_every_reason_is_that_of_one_error():
    raised = [reason for error in errors_below(MintkeyError) for reason in error.__dict__.get("reasons", ())]
    assert sorted(raised) == sorted(Reason)


def errors_below(error: type[MintkeyError]) -> list[type[MintkeyError]]:
    return [error, *(each for child in error.__subclasses__() for each in errors_below(child))]


def test_what_is_said_of_settings_is_so(tmp_path):
    about = SETTINGS.text.partition("## ")[0]
    (variable, _, text) = re.findall(r"`(MINTKEY_(\w+)_FILE)=(\S+)`", about)[0]
    assert variable.removesuffix("_FILE") == variable_of("seal_keys")
    assert text
    file = tmp_path / "ring"
    file.write_text("  payments\n", encoding="utf-8")
    problems: list[str] = []
    assert Lookup({"MINTKEY_RING_FILE": str(file)}, problems).value(RING) == "payments"
    assert Lookup({"MINTKEY_RING": "  "}, problems).value(RING) == RING.default
    assert problems == []
    Lookup({"MINTKEY_RING_FILE": str(file), "MINTKEY_RING": "orders"}, problems).value(RING)
    assert len(problems) == 1
    for duration in re.search(r"as in (.+)\.$", about, re.MULTILINE)[1].split(", "):
        assert durations.parse(duration.strip("`")) > timedelta(0)


def test_the_commands_of_the_page_run_and_its_exit_codes_are_all_there_are(tmp_path):
    printed = CLI.shell(tmp_path)
    assert printed.splitlines()[0] == f"mintkey {mintkey.__version__}"
    assert [int(code) for code, _ in CLI.rows("Exit codes")[1:]] == sorted(ExitCode)


@pytest.mark.parametrize("path", [*sorted(DOCS.rglob("*.md")), *sorted(DOCS.rglob("*.py"))], ids=lambda path: path.stem)
def test_what_a_page_imports_is_in_the_reference(path):
    """People copy it, so it has to stay."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if path.suffix == ".md" else [text]
    if "_ext" in path.parts:
        return
    imported = {
        (node.module or "", alias.name)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mintkey"
        for alias in node.names
    }
    assert {(module, name) for module, name in imported if not is_offered(module, name)} == set()


def is_offered(module: str, name: str) -> bool:
    is_room = importlib.import_module(module) in ROOMS
    return (module, name) in DOCUMENTED or (is_room and name in importlib.import_module(module).__all__)
