"""Foreign keys that a migration has broken: SQLite checks none while it copies a table, so they are checked later."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.core.cqrs import ConfigurationError


def require_references(connection: Connection, known: Counter[tuple[str, str]] | None = None) -> None:
    """Make sure that each foreign key refers to a row that exists. PostgreSQL makes sure by itself.

    Args:
        connection: one to any database.
        known: those that are accepted, as `broken` counts them.

    Raises:
        ConfigurationError: if there are others; the message has the tables and the numbers of rows.
    """
    if found := broken(connection) - (known or Counter()):
        rows = ", ".join(f"{count} of {table} to {parent}" for (table, parent), count in sorted(found.items()))
        raise ConfigurationError(f"Rows refer to rows that do not exist: {rows}. Delete or change them.")


def broken(connection: Connection) -> Counter[tuple[str, str]]:
    """The tables whose rows refer to rows that do not exist, each with the table referred to; on SQLite only."""
    if connection.dialect.name != "sqlite":
        return Counter()
    return Counter((row[0], row[2]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check"))


@contextmanager
def references_kept(connection: Connection) -> Iterator[None]:
    """Make sure that what runs inside breaks no foreign key; those that were broken before are not its fault.

    Raises:
        ConfigurationError: if it does.
    """
    known = broken(connection)
    yield
    require_references(connection, known)
