"""The migrations make exactly the tables that the code uses, and take them away again."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import Boolean, Column, DateTime, Table, Text, false, func, inspect, text, true

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.engine.database import Database
from app.persistence.projections.rebuilding import PREFIX
from app.persistence.schema import migrate, revisions
from app.persistence.tables import metadata
from tests.databases import settings_for


@pytest.fixture
def settings(empty_database_url: str) -> Settings:
    return settings_for(empty_database_url)


def tables(settings: Settings) -> set[str]:
    async def read() -> set[str]:
        database = Database(settings)
        async with database.reading_engine.connect() as connection:
            names = await connection.run_sync(lambda connected: inspect(connected).get_table_names())
        await database.close()
        return set(names) - {"alembic_version", "applied_revisions"}

    return asyncio.run(read())


def test_up_and_down_and_up_again(settings: Settings) -> None:
    for _ in range(2):
        migrate.upgrade(settings)
        assert tables(settings) == set(metadata.tables)
        migrate.check(settings)
        migrate.downgrade(settings, "base")
        assert tables(settings) == set()


def test_what_is_done_already_is_not_done_again(settings: Settings) -> None:
    migrate.upgrade(settings)
    migrate.upgrade(settings)


def test_a_database_that_is_behind_fails_the_check(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="has no tables yet, but needs migration"):
        migrate.check(settings)


def execute(settings: Settings, statement: str) -> None:
    async def opened() -> None:
        database = Database(settings)
        async with database.writing_engine.begin() as connection:
            await connection.execute(text(statement))
        await database.close()

    asyncio.run(opened())


def test_a_table_that_no_migration_knows_fails_the_check(settings: Settings) -> None:
    migrate.upgrade(settings)
    execute(settings, "DROP TABLE registrations")
    with pytest.raises(ConfigurationError, match="registrations"):
        migrate.check(settings)


def test_what_a_killed_rebuild_left_is_no_business_of_migrations(settings: Settings) -> None:
    migrate.upgrade(settings)
    execute(settings, f"CREATE TABLE {PREFIX}something (id INTEGER PRIMARY KEY)")
    migrate.check(settings)
    execute(settings, "CREATE TABLE something (id INTEGER PRIMARY KEY)")
    with pytest.raises(ConfigurationError, match="The table something is only in the database"):
        migrate.check(settings)


def test_a_database_that_is_ahead_fails_the_check_by_its_migrations(settings: Settings) -> None:
    migrate.upgrade(settings)
    execute(settings, "UPDATE alembic_version SET version_num = '2099'")
    execute(settings, "UPDATE applied_revisions SET is_head = false")
    row = f"'2099', CURRENT_TIMESTAMP, true, '{settings.service_name}'"
    execute(settings, f"INSERT INTO applied_revisions VALUES ({row})")
    for run in (migrate.check, lambda settings: migrate.create_revision(settings, "more")):
        with pytest.raises(ConfigurationError, match="has the migrations 2099, which this code does not have"):
            run(settings)
    migrate.upgrade(settings)


def test_a_revision_that_does_not_exist_is_told(settings: Settings) -> None:
    migrate.upgrade(settings)
    with pytest.raises(ConfigurationError, match="nonsense"):
        migrate.downgrade(settings, "nonsense")


@pytest.fixture
def no_migrations(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (scripts / name).write_text((revisions.SCRIPTS / name).read_text())
    monkeypatch.setattr(revisions, "SCRIPTS", scripts)


@pytest.mark.usefixtures("no_migrations")
def test_a_new_migration_is_written_from_what_changed(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="one last migration"):
        _ = revisions.read_revisions().newest
    written = migrate.create_revision(settings, "All at once")
    revision = written.name.removesuffix("_all_at_once.py")
    assert abs(datetime.strptime(f"{revision}+0000", "%Y%m%d%H%M%S%z") - datetime.now(UTC)) < timedelta(minutes=1)
    assert "app." not in written.read_text(), "a migration must not change when the code does"
    assert revisions.read_revisions().known == [revision]
    migrate.upgrade(settings)
    migrate.check(settings)
    assert tables(settings) == set(metadata.tables)


@pytest.fixture
def drafts(settings: Settings) -> Iterator[Table]:
    """A table with defaults that each database writes in its own way, once there is a database without it."""
    columns = [Column("is_new", Boolean, server_default=true()), Column("is_paid", Boolean, server_default=false())]
    moments = [
        Column("written_at", DateTime(timezone=True), server_default=func.now()),
        Column("read_at", DateTime(timezone=True), server_default=func.current_timestamp()),
        Column("sent_at", DateTime(timezone=True), server_default=text("CURRENT_TIMESTAMP")),
    ]
    table = Table("drafts", metadata, Column("word", Text, server_default="true"), *columns, *moments)
    yield table
    metadata.remove(table)


@pytest.mark.usefixtures("drafts")
def test_a_new_migration_is_for_any_database(
    settings: Settings, no_migrations: None, capsys: pytest.CaptureFixture[str]
) -> None:
    written = migrate.create_revision(settings, "drafts").read_text()
    defaults = re.findall(r"server_default=(.+?\)?),", written.partition("'drafts'")[2])
    assert defaults[:6] == ["'true'", "sa.true()", "sa.false()", *["sa.func.now()"] * 3]
    assert capsys.readouterr().out == ""
    migrate.upgrade(settings)
    migrate.check(settings)


@pytest.mark.usefixtures("no_migrations")
def test_migrations_of_one_second_have_names_of_their_own(settings: Settings) -> None:
    for name in ("first", "second", "third"):
        with time_machine.travel(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)):
            migrate.create_revision(settings, name)
        migrate.upgrade(settings)
    assert revisions.read_revisions().known == ["20261231235959", "20270101000000", "20270101000001"]


@pytest.mark.usefixtures("no_migrations")
def test_migrations_where_they_were_before_are_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "FORMERLY", tmp_path / "before")
    (tmp_path / "before").mkdir()
    assert revisions.read_revisions().known == []
    (tmp_path / "before" / "20260101000000_tickets.py").touch()
    with pytest.raises(
        ConfigurationError, match=r"Move the migrations in .*before to .*versions: only these are read\."
    ):
        revisions.read_revisions()
