"""What differs between the code and the database is told in sentences."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    make_url,
)

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.column_types import UtcDateTime
from app.persistence.schema import migrate
from app.persistence.schema.differences import told
from app.persistence.tables import metadata
from tests.databases import settings_for
from tests.persistence.schema.test_migrate import execute

STORED = """CREATE TABLE drafts (id INTEGER NOT NULL PRIMARY KEY, word INTEGER, title TEXT NOT NULL, old TEXT,
    kind TEXT DEFAULT 'a', size INTEGER,
    CONSTRAINT uq_drafts_old UNIQUE (old))"""


@pytest.fixture
def settings(empty_database_url: str) -> Settings:
    return settings_for(empty_database_url)


@pytest.fixture
def drafts(settings: Settings) -> Iterator[Table]:
    """Another table in the code than in the database, once there is a database without it."""
    table = Table(
        "drafts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("word", Text, nullable=False),
        Column("title", Text),
        Column("user_id", Uuid, ForeignKey("users.id")),
        Column("kind", Text),
        Column("size", Integer, server_default="1"),
        UniqueConstraint("word"),
        Index(None, "title", unique=True),
    )
    yield table
    metadata.remove(table)


@pytest.mark.usefixtures("drafts")
def test_each_difference_is_a_sentence(settings: Settings) -> None:
    migrate.upgrade(settings)
    execute(settings, STORED)
    execute(settings, "DROP TABLE registrations")
    with pytest.raises(ConfigurationError) as raised:
        migrate.check(settings)
    first, *sentences, last = str(raised.value).splitlines()
    assert first == "The tables in the database are not those in the code:"
    assert sorted(sentences) == [
        "- The column drafts.kind has a server default in the database, but not in the code.",
        "- The column drafts.old is only in the database.",
        "- The column drafts.size has a server default in the code, but not in the database.",
        "- The column drafts.title may be NULL in the code, but not in the database.",
        "- The column drafts.user_id is only in the code.",
        "- The column drafts.word is INTEGER in the database, but TEXT in the code.",
        "- The column drafts.word may be NULL in the database, but not in the code.",
        "- The foreign key constraint fk_drafts_user_id_users of drafts (user_id) is only in the code.",
        "- The index ix_registrations_registered_at of registrations (registered_at) is only in the code.",
        "- The table registrations is only in the code.",
        "- The unique constraint uq_drafts_old of drafts (old) is only in the database.",
        "- The unique constraint uq_drafts_word of drafts (word) is only in the code.",
        "- The unique index ix_drafts_title of drafts (title) is only in the code.",
    ]
    assert "`app db revision MESSAGE`, then run `app db upgrade`" in last


def test_what_is_compared_by_choice_is_told_too() -> None:
    keys = [ForeignKeyConstraint(["word"], ["words.id"], name="its_word", ondelete=rule) for rule in (None, "CASCADE")]
    table = Table("drafts", metadata.__class__(), Column("word", Integer), *keys)
    said = told(
        [
            ("add_table_comment", table, None),
            [("modify_comment", None, "drafts", "word", {}, None, "new")],
            ("add_something", 7),
            ("remove_fk", keys[0]),
            ("add_fk", keys[1]),
            [("modify_type", None, "drafts", "at", {}, String(9), UtcDateTime())],
        ],
        make_url("postgresql://").get_dialect()(),
    )
    assert said.splitlines()[1:-1] == [
        "- The comment of the table drafts is only in the code.",
        "- The column drafts.word has another comment in the database than in the code.",
        "- add_something: (7,).",
        "- The foreign key constraint its_word of drafts (word) is only in the database.",
        "- The foreign key constraint its_word of drafts (word) ON DELETE CASCADE is only in the code.",
        "- The column drafts.at is VARCHAR(9) in the database, but TIMESTAMP WITH TIME ZONE in the code.",
    ]
