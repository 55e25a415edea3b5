"""Translates database errors into errors of the bus.

The translation is a hook of SQLAlchemy's engine, so it applies to statements, flushes and COMMIT alike.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.cqrs import ConfigurationError, ConflictError, CQRSError, ServiceUnavailableError, TransientError
from app.persistence.tables import metadata

E = TypeVar("E", bound=CQRSError)


class LostConnectionError(TransientError):
    """The connection broke. Uncommitted changes are undone."""


class DatabaseOnlyReadsError(LostConnectionError):
    """The database refuses to write, after a failover or with a full disk: its connections are given up."""


class MissingRightError(ConfigurationError):
    """The database refuses a statement to the role that the service logs in with. The same statement fails again."""


ABORTED = "25P02"
"""SQLSTATE of PostgreSQL for every statement in a transaction after one that failed."""

told_of_failures: WeakKeyDictionary[Connection, Callable[[Exception], Exception]] = WeakKeyDictionary()
"""Connection -> a callback for each error in its transaction; it returns the first error of that transaction."""

Classify = Callable[[BaseException], CQRSError | None]
"""Maps a driver's error to an error of the bus; None if the error can only come from a bug."""


def translate_errors(engine: AsyncEngine, classify: Classify) -> None:
    """Make an engine raise errors of the bus in place of the driver errors that `classify` knows."""

    def on_error(context: ExceptionContext) -> BaseException | None:
        known = _translated(context, classify)
        tell = None if context.connection is None else told_of_failures.get(context.connection)
        if tell is None:
            return known
        original = context.original_exception
        if not isinstance(original, Exception):
            tell(interrupted())
            return known
        first = tell(known or context.sqlalchemy_exception or original)
        return first if getattr(original, "sqlstate", None) == ABORTED else known

    event.listen(engine.sync_engine, "handle_error", on_error)
    event.listen(engine.sync_engine, "do_connect", _connect)


def _translated(context: ExceptionContext, classify: Classify) -> CQRSError | None:
    original = context.original_exception
    known = classify(original)
    is_unexplained = known is None or isinstance(known, MissingRightError)
    if is_unexplained and context.connection is None:  # it was not opened, so no statement of the program is to blame
        return lost_connection()
    lost = context.is_disconnect or isinstance(original, OSError)
    if lost and isinstance(original, Exception):
        context.is_disconnect = True
        if not isinstance(known, ConfigurationError):  # it explains why no connection will ever succeed
            return lost_connection()
    context.is_disconnect |= isinstance(known, DatabaseOnlyReadsError)
    return None if known is None else final(known)


def _connect(dialect: Any, record: Any, args: Any, options: Any) -> Any:
    try:
        return dialect.connect(*args, **options)
    except OSError as error:
        raise lost_connection() from error


def final(error: E) -> E:
    """Mark an error: the transaction in which it occurred must be rolled back. Returns the same error."""
    error.must_roll_back = True
    return error


def lost_connection() -> LostConnectionError:
    """The error for a database that cannot be reached."""
    return final(LostConnectionError("The database cannot be reached, try again in a moment."))


def exhausted() -> TransientError:
    """The error for a database without the resources for a statement."""
    return TransientError("The database lacks disk space, memory or connections, try again in a moment.")


def interrupted() -> ServiceUnavailableError:
    """The error for a statement whose caller was cancelled: its connection is closed, and its transaction undone."""
    return final(ServiceUnavailableError("A statement was interrupted, so its transaction was undone: try again."))


def taken(table: str, columns: list[str]) -> ConflictError:
    """The error for a violated unique constraint; it names the fields as users know them, not the columns."""
    found = metadata.tables.get(table)
    known = {} if found is None else {column.name: column.info.get("field", column.name) for column in found.columns}
    fields = [str(known.get(name, name)) for name in columns]
    named = " and ".join(f"this {field}" for field in fields) or "this"
    return ConflictError(
        f"{named[:1].upper()}{named[1:]} {'is' if len(fields) < 2 else 'are'} taken.",
        details=dict.fromkeys(fields, "is taken"),
    )


def unusable() -> ConfigurationError:
    """The error for a database that is missing, is not a database, or refuses the login."""
    return ConfigurationError(
        "The database cannot be opened: check the name, folder or host, the password and sslmode in DATABASE_URL."
    )


def forbidden(reason: str) -> MissingRightError:
    """The error for a statement that the role may not execute; `reason` is the database's own."""
    return MissingRightError(
        f"The role in DATABASE_URL lacks a right: {reason}. Grant it; docs/going-live.md lists who needs which rights."
    )


def read_only(*, is_writer: bool) -> CQRSError:
    """The error for a write in a read-only session; if the engine is to write, the database itself only reads."""
    if is_writer:
        return DatabaseOnlyReadsError("The database only reads at present, try again in a moment.")
    return ConfigurationError(
        "Something was written outside a transaction: put @transactional on the command's handler. "
        "Queries and handlers without it can only read."
    )
