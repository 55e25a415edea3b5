"""Migrations that a test makes up, and what a database tells of them: each writes its name when it is run."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.persistence.engine.database import Database
from app.persistence.schema import applied, revisions

ROOT = 'op.create_table("ran", sa.Column("name", sa.Text()))\n    '
RUN = "op.execute(\"INSERT INTO ran VALUES ('{name}')\")"
BACK = "op.execute(\"DELETE FROM ran WHERE name = '{name}'\")"
SCRIPT = '''"""Made up."""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {follows!r}
branch_labels = None
depends_on = {depends!r}


def upgrade() -> None:
    """Go to this revision."""
    {up}


def downgrade() -> None:
    """Go back to the one before."""
    {down}
'''

Line = Mapping[str, str | Sequence[str] | None]
"""The migrations of a code: each, and what it follows."""


class Scripts:
    """The folder of migrations, instead of the service's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.versions = folder / "versions"
        self.versions.mkdir(parents=True)
        for name in ("env.py", "script.py.mako"):
            (folder / name).write_text((revisions.SCRIPTS / name).read_text())
        monkeypatch.setattr(revisions, "SCRIPTS", folder)

    def are(self, line: Line, **bodies: str) -> None:
        """From now on the code has these; a body is what one does, besides writing its name."""
        for file in self.versions.glob("*.py"):
            file.unlink()
        for number, (name, follows) in enumerate(line.items()):
            self.add(f"{number}_{name}", name, follows, bodies.get(name, ""))

    def add(self, file: str, name: str, follows: Any, body: str = "", depends: str | None = None) -> None:
        """Write one."""
        first = follows is None
        up = (ROOT if first else "") + RUN.format(name=name) + (f"\n    {body}" if body else "")
        down = 'op.drop_table("ran")' if first else BACK.format(name=name)
        written = SCRIPT.format(name=name, follows=follows, depends=depends, up=up, down=down)
        (self.versions / f"{file}.py").write_text(written)


def ask(settings: Settings, statement: str) -> list[Any]:
    """The first column of what the database answers, on a connection without any of the service's own rules."""

    async def asked() -> list[Any]:
        url = make_url(settings.database_url).set(query={})  # an option is one of libpq, which SQLAlchemy does not read
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                answer = await connection.execute(text(statement))
                return list(answer.scalars()) if answer.returns_rows else []
        finally:
            await engine.dispose()

    return asyncio.run(asked())


def ran(settings: Settings) -> list[str]:
    """The migrations whose effect is in the database, in order of their names."""
    return sorted(ask(settings, "SELECT name FROM ran"))


def start(settings: Settings) -> None:
    """What a start of the service looks at."""

    async def started() -> None:
        database = Database(settings)
        try:
            await applied.require_migrated(database, revisions.read_revisions())
        finally:
            await database.close()

    asyncio.run(started())


@contextmanager
def refused(*named: str) -> Iterator[None]:
    """Inside, something is refused with a sentence that says each of these."""
    with pytest.raises(ConfigurationError) as told:
        yield
    for word in named:
        assert word in told.value.message, told.value.message
