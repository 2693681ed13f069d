"""The migrations of the guide to SQL are those of the tables, on both databases."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mintkey import TokenReplayedError, presets
from mintkey.keys import Sealer
from mintkey.keys.stores.sql import SQLKeyRingStore
from mintkey.replay.sql import SQLReplayStore
from mintkey.sql.schema import metadata
from tests.docs.page import Page
from tests.support.postgres import PostgresDatabase

PAGE = Page("sql")
SERVICE, *MIGRATIONS = PAGE.blocks()
FILES = {block.partition("\n")[0].removeprefix("# "): block.partition("\n")[2] for block in MIGRATIONS}


class Project:
    """An application that migrates with Alembic, set up as the guide says."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self._url = url
        self.run("init", "migrations")
        self.write("migrations/env.py")

    def write(self, name: str) -> None:
        (self._directory / name).write_text(FILES[name], encoding="utf-8")

    def run(self, *command: str) -> str:
        settings = self._directory / "alembic.ini"
        if settings.exists():
            text = settings.read_text(encoding="utf-8")
            settings.write_text(re.sub(r"(?m)^sqlalchemy\.url = .*$", f"sqlalchemy.url = {self._url}", text))
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *command],
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'app.db'}"
    postgres: PostgresDatabase = request.getfixturevalue("postgres")
    return postgres.url.replace("postgresql:", "postgresql+asyncpg:")


def test_the_guide_is_short() -> None:
    assert len(PAGE.text.splitlines()) < 170
    assert set(FILES) == {"migrations/env.py", "migrations/versions/0001_mintkey.py"}
    assert all(f"`{table}`" in PAGE.text for table in metadata.tables)


async def test_keys_and_marks_of_a_service_are_in_the_database(url: str) -> None:
    names: dict[str, Any] = {}
    exec(SERVICE, names)  # noqa: S102 - the page is ours
    key = Sealer.generate_key()
    plain_url = re.sub(r"\+\w+:", ":", url)
    async with names["service"](plain_url, key) as tokens, names["service"](plain_url, key) as elsewhere:
        token = await tokens.mint(presets.MAGIC_LINK, subject="20")
        assert (await elsewhere.verify(token, presets.MAGIC_LINK)).subject == "20"
        with pytest.raises(TokenReplayedError):
            await tokens.verify(token, presets.MAGIC_LINK)


async def test_the_migration_by_hand_makes_the_tables(tmp_path: Path, url: str) -> None:
    project = Project(tmp_path, url)
    project.write("migrations/versions/0001_mintkey.py")
    project.run("upgrade", "head")
    assert "No new upgrade operations detected" in project.run("check")
    async with SQLKeyRingStore(url) as store:
        assert await store.compare_and_swap("default", expected=0, document=b"{}")
        assert await store.reserve("default", "kid", want=1, limit=1) == 1
    project.run("downgrade", "base")


async def test_alembic_finds_the_tables_by_itself(tmp_path: Path, url: str) -> None:
    project = Project(tmp_path, url)
    project.run("revision", "--autogenerate", "-m", "mintkey")
    project.run("upgrade", "head")
    async with SQLKeyRingStore(url) as store:
        assert await store.compare_and_swap("default", expected=0, document=b"{}")
    assert "No new upgrade operations detected" in project.run("check")


async def test_tables_that_were_made_by_themselves_are_those_of_the_migrations(tmp_path: Path, url: str) -> None:
    async with SQLKeyRingStore(url) as rings, SQLReplayStore(url) as marks:
        assert await rings.load("default") is None
        assert await marks.cut_off_before("anybody") is None
    project = Project(tmp_path, url)
    project.write("migrations/versions/0001_mintkey.py")
    project.run("stamp", "head")
    assert "No new upgrade operations detected" in project.run("check")
