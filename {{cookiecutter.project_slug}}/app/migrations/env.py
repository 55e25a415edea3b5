"""How Alembic sees this service; `app.persistence.schema.migrate` calls it with a connection."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import ClauseElement, TypeDecorator

from app.persistence.column_types import Json
from app.persistence.projections.rebuilding import PREFIX
from app.persistence.schema.applied import RECORD
from app.persistence.tables import metadata

PORTABLE = {"false": "sa.false()", "true": "sa.true()", "now()": "sa.func.now()", "current_timestamp": "sa.func.now()"}
"""Defaults in SQL -> what each database gets its own SQL from: `false` is 0 in that of SQLite, which has no `now()`."""


def plain(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write our own types as what they are in the database, because a migration must not change when the code does.

    Defaults are written for any database, and not for the one that the migration is written on.
    """
    if kind == "server_default" and isinstance(default := getattr(item, "arg", None), ClauseElement):
        return PORTABLE.get(str(default).lower(), False)
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    if repr(item) == repr(Json):
        return 'sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")'
    return False


def has_other_default(*given: Any) -> bool:
    """Whether only the database or only the code has a default; one default has more spellings than can be compared."""
    _, _, _, stored, _, declared = given  # context, columns, the two defaults, and the declared one as text
    return (stored is None) != (declared is None)


def is_ours(name: str | None, kind: str, _: Any) -> bool:
    """Leave out the record of migrations, and what a rebuild that was killed has left: the next one drops it."""
    return kind != "table" or name is None or not (name == RECORD.name or name.startswith(PREFIX))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot change a table; Alembic copies it
    render_item=plain,
    include_name=is_ours,
    compare_server_default=has_other_default,
    transactional_ddl=True,  # on SQLite too, as it is opened here; `schema.migrate` begins the transactions
)
context.run_migrations()
