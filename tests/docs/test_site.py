"""The site: it is built without a warning, has a place for everything, and asks no other machine for anything."""

import html
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

from mintkey import Reason
from mintkey.cli.app import app
from mintkey.settings.table import SETTINGS, variable_of
from tests.docs.examples import DOCUMENTED
from tests.docs.page import DOCS, Page

HOME = Page("index")
REFERENCE = "reference/api"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", str(DOCS), str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        # Warnings of the site are errors; those that Sphinx has for its extensions are not ours.
        env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return directory


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    for path in site.rglob("*.html"):
        yield path, path.read_text(encoding="utf-8")


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_page_is_there_and_in_the_table_of_contents(site):
    contents = (site / "index.html").read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md"):
        name = path.relative_to(DOCS).with_suffix(".html")
        assert (site / name).exists(), name
        assert f'href="{name}"' in contents or name.name == "index.html", name


def test_every_link_within_the_site_leads_to_a_place(site):
    texts = dict(pages(site))
    identifiers = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    for path, text in texts.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            parts = urlsplit(html.unescape(link))
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), (path, link)
            if target in identifiers and parts.fragment:
                assert unquote(parts.fragment) in identifiers[target], (path, link)


def test_nothing_is_got_from_elsewhere(site):
    for path, text in pages(site):
        got = re.findall(r'<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text)
        assert got == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_every_public_name_has_a_place(site):
    found = (re.findall(r' id="(mintkey[\w.]*)"', text) for _, text in pages(site / REFERENCE))
    places = {place for places_of_page in found for place in places_of_page}
    assert {f"{module}.{name}" for module, name in DOCUMENTED} <= places


def test_a_name_in_a_text_leads_to_its_place(site):
    text = (site / "how-to" / "refresh.html").read_text(encoding="utf-8")
    assert f'href="../{REFERENCE}/mintkey.refresh.html#mintkey.refresh.RefreshFlow"' in text


def test_the_tables_that_are_made_of_code_have_everything(site):
    reasons = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    assert all(f">{reason}</span>" in reasons for reason in Reason)
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(f">{variable_of(name)}</span>" in settings for name in SETTINGS)


def test_every_command_and_option_is_on_its_page(site):
    text = text_of(site / "reference" / "cli.html")
    for path, command in commands(typer.main.get_command(app), "mintkey"):
        assert f"{path}" in text
        _, _, section = text.partition(f"\n{path}")
        assert all(option in section for parameter in command.params for option in parameter.opts if option[0] == "-")


def commands(command, path):
    children = getattr(command, "commands", {})
    yield from [] if children else [(path, command)]
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


def test_docstrings_are_read_as_markdown(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    to_restructured_text = importlib.import_module("mintkey_site.docstrings").to_restructured_text
    markdown = """
    A `Purpose`s name.

    | a | `b` |
    |---|---|
    | 1 | `c` |

    Example:
        ```python
        `f`
        ```
        >>> g("`h`")
        '`i`'
    """
    assert [line for line in to_restructured_text(markdown.splitlines()) if line.strip()] == [
        r"    A ``Purpose``\ s name.",
        "    .. list-table::",
        "       :header-rows: 1",
        "       * - a",
        "         - ``b``",
        "       * - 1",
        "         - ``c``",
        "    Example:",
        "        .. code-block:: python",
        "           `f`",
        '        >>> g("`h`")',
        "        '`i`'",
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[changes](../../CHANGELOG.md)", "[changes](/changelog.md)"),
        ("[`the page`](../../tests/docs/page.py)", "`the page`"),
        ("[tests](../../tests/docs/)", "tests"),
        ("[nothing](../../tests/nothing.py)", "[nothing](../../tests/nothing.py)"),
        ("[a page](refresh.md#how-long)", "[a page](refresh.md#how-long)"),
        ("[elsewhere](https://myapp.example)", "[elsewhere](https://myapp.example)"),
    ],
)
def test_links_into_the_repository_are_led(monkeypatch, written, shown):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    led = importlib.import_module("mintkey_site.repository").led
    assert led(f"See {written}.", page=DOCS / "how-to" / "sql.md", docs=DOCS) == f"See {shown}."


def test_the_first_page_prints_what_it_says():
    (example,), (printed,) = HOME.blocks(), HOME.blocks("text")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == printed
