"""A migration that breaks foreign keys is rolled back, on SQLite too, which checks none while it runs."""

from pathlib import Path

import pytest

from app.core.config import Settings
from app.persistence.schema import migrate
from support.lines import Scripts, ask, ran, refused
from tests.databases import ON_SQLITE, settings_for

TABLES = """
    op.execute("CREATE TABLE cooks (id INTEGER PRIMARY KEY)")
    op.execute("CREATE TABLE shifts (id INTEGER PRIMARY KEY, cook INTEGER REFERENCES cooks (id))")
    op.execute("INSERT INTO cooks VALUES (1)")
    op.execute("INSERT INTO shifts VALUES (1, 1), (2, 1)")
"""
BREAK = "op.execute('DELETE FROM cooks')"
TOLD = {
    "sqlite": "Rows refer to rows that do not exist: 2 of shifts to cooks.",
    "postgresql": "ConflictError: This refers to something",
}


@pytest.fixture
def settings(empty_database_url: str) -> Settings:
    return settings_for(empty_database_url)


@pytest.fixture
def scripts(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    scripts = Scripts(tmp_path / "scripts", monkeypatch)
    scripts.are({"0001": None}, **{"0001": TABLES})
    migrate.upgrade(settings)
    return scripts


def told(settings: Settings) -> str:
    return TOLD[settings.database_url.partition("+")[0]]


def test_an_upgrade_that_breaks_foreign_keys_is_rolled_back(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None, "0002": "0001"}, **{"0002": BREAK})
    with refused("Migration 0002 failed", told(settings)):
        migrate.upgrade(settings)
    assert (ran(settings), ask(settings, "SELECT id FROM cooks")) == (["0001"], [1])


def test_a_downgrade_that_breaks_foreign_keys_is_rolled_back(settings: Settings, scripts: Scripts) -> None:
    scripts.are({"0001": None, "0002": "0001"})
    file = scripts.versions / "1_0002.py"
    file.write_text(f"{file.read_text()}    {BREAK}\n")
    migrate.upgrade(settings)
    with refused("Migration 0002 failed", told(settings)):
        migrate.downgrade(settings, "0001")
    assert (ran(settings), ask(settings, "SELECT id FROM cooks")) == (["0001", "0002"], [1])


@ON_SQLITE
def test_what_was_broken_before_is_told_by_a_check_and_stops_no_migration(settings: Settings, scripts: Scripts) -> None:
    ask(settings, "DELETE FROM cooks")
    scripts.are({"0001": None, "0002": "0001"})
    migrate.upgrade(settings)
    with refused(told(settings)):
        migrate.check(settings)
