"""A column that must have a value comes to a table with rows as the guide says, while old code inserts more."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Column, Integer, Table, Text, text

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.engine.database import Database
from app.persistence.schema import migrate, revisions
from app.persistence.tables import metadata
from support.places import SERVICE
from tests.databases import settings_for

PAGE = (SERVICE / "docs" / "growing.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### A column that must have a value")[2].partition("\n#")[0]
COLUMNS = re.findall(r'`(Column\("priority".*?\))`', SECTION)
FILLING = re.findall(r"`(op\.execute\(.+?\))`", SECTION)
OLD = "INSERT INTO tickets (status) VALUES ('new')"


@pytest.fixture
def settings(empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A service without migrations."""
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (scripts / name).write_text((revisions.SCRIPTS / name).read_text())
    monkeypatch.setattr(revisions, "SCRIPTS", scripts)
    return settings_for(empty_database_url)


@pytest.fixture
def release(settings: Settings) -> Iterator[Callable[..., None]]:
    """Installs a release with this column of tickets, by the migration that is written for it."""

    def install(column: str | None, filling: str = "") -> None:
        if "tickets" in metadata.tables:
            metadata.remove(metadata.tables["tickets"])
        added = [eval(column, dict(vars(sqlalchemy)))] if column else []
        Table("tickets", metadata, Column("id", Integer, primary_key=True), Column("status", Text), *added)
        file = migrate.create_revision(settings, "tickets")
        upgrade = 'def upgrade() -> None:\n    """Go to this revision."""\n'
        written = file.read_text()
        assert upgrade in written
        file.write_text(written.replace(upgrade, f"{upgrade}    {filling or 'pass'}\n"))
        migrate.upgrade(settings)
        migrate.check(settings)

    yield install
    metadata.remove(metadata.tables["tickets"])


def execute(settings: Settings, statement: str) -> list[str]:
    async def execute() -> list[str]:
        database = Database(settings)
        try:
            async with database.writing_engine.begin() as connection:
                done = await connection.execute(text(statement))
                return [*done.scalars()] if done.returns_rows else []
        finally:
            await database.close()

    return asyncio.run(execute())


def priorities(settings: Settings) -> list[str]:
    return execute(settings, "SELECT priority FROM tickets ORDER BY id")


def test_a_table_with_rows_refuses_a_column_without_a_default(settings: Settings, release: Callable[..., None]) -> None:
    release(None)
    execute(settings, OLD)
    with pytest.raises(ConfigurationError):
        release('Column("priority", Text, nullable=False)')


def test_one_value_for_all_comes_in_one_release(settings: Settings, release: Callable[..., None]) -> None:
    release(None)
    execute(settings, OLD)
    release(COLUMNS[0])
    execute(settings, OLD)
    assert priorities(settings) == ["normal", "normal"]


def test_other_values_come_in_two_releases(settings: Settings, release: Callable[..., None]) -> None:
    _, first, second = COLUMNS
    (filling,) = FILLING
    release(None)
    execute(settings, "INSERT INTO tickets (status) VALUES ('closed')")
    release(first)
    execute(settings, OLD)  # a process of the release before
    execute(settings, "INSERT INTO tickets (status, priority) VALUES ('new', 'high')")
    release(second, filling)
    assert priorities(settings) == ["low", "normal", "high"]
