"""What databases complain about, in the words of the bus.

It is done where SQLAlchemy's engine lets go of an error, so it holds for statements, flushes and COMMIT alike.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import AsyncAdaptedQueuePool, Connection, ExceptionContext, PoolProxiedConnection, event
from sqlalchemy import exc as sqlalchemy_exc
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.cqrs import ConfigurationError, ConflictError, CQRSError, ServiceUnavailableError, TransientError
from app.persistence.tables import metadata

E = TypeVar("E", bound=CQRSError)


class LostConnectionError(TransientError):
    """The connection broke. What was not committed is undone."""


ABORTED = "25P02"
"""PostgreSQL's answer to every statement after one that failed."""

told_of_failures: WeakKeyDictionary[Connection, Callable[[Exception], Exception]] = WeakKeyDictionary()
"""Who is told that a statement failed in the transaction of a connection, and answers what failed there first."""

Classify = Callable[[BaseException], CQRSError | None]
"""Takes an error of a driver; returns ours, or None when it is nothing that may happen: a bug."""


def translate_errors(engine: AsyncEngine, classify: Classify) -> None:
    """From now on this engine raises errors of the bus where there are some."""

    def on_error(context: ExceptionContext) -> BaseException | None:
        known = in_our_words(context)
        tell = None if context.connection is None else told_of_failures.get(context.connection)
        if tell is None:
            return known
        original = context.original_exception
        if not isinstance(original, Exception):
            tell(interrupted())
            return known
        first = tell(known or context.sqlalchemy_exception or original)
        return first if getattr(original, "sqlstate", None) == ABORTED else known

    def in_our_words(context: ExceptionContext) -> CQRSError | None:
        original = context.original_exception
        known = classify(original)
        lost = context.is_disconnect or isinstance(original, OSError)
        if lost and isinstance(original, Exception):
            context.is_disconnect = True
            if not isinstance(known, ConfigurationError):  # which says why nobody will ever be connected
                return lost_connection()
        return None if known is None else final(known)

    def connect(dialect: Any, record: Any, args: Any, options: Any) -> Any:
        try:
            return dialect.connect(*args, **options)
        except OSError as error:
            raise lost_connection() from error

    event.listen(engine.sync_engine, "handle_error", on_error)
    event.listen(engine.sync_engine, "do_connect", connect)


class ConnectionPool(AsyncAdaptedQueuePool):
    """A pool whose time-out is an error that may pass."""

    def connect(self) -> PoolProxiedConnection:
        """A connection.

        Raises:
            TransientError: all are in use, and none was given back in time.
        """
        try:
            return super().connect()
        except sqlalchemy_exc.TimeoutError as error:
            raise final(TransientError("The service is busy, try again in a moment.")) from error


def final(error: E) -> E:
    """The error, marked: the transaction it happened in cannot be kept."""
    error.must_roll_back = True
    return error


def lost_connection() -> LostConnectionError:
    """The error for a database that cannot be reached."""
    return final(LostConnectionError("The database cannot be reached, try again in a moment."))


def interrupted() -> ServiceUnavailableError:
    """The error for a statement that somebody stopped waiting for: the connection is given up, and its transaction."""
    return final(ServiceUnavailableError("A statement was interrupted, so its transaction was undone: try again."))


def taken(table: str, columns: list[str]) -> ConflictError:
    """The error for a value that must be unique and is not; it names the fields that people know the columns by."""
    found = metadata.tables.get(table)
    known = {} if found is None else {column.name: column.info.get("field", column.name) for column in found.columns}
    fields = [str(known.get(name, name)) for name in columns]
    named = " and ".join(f"this {field}" for field in fields) or "this"
    return ConflictError(
        f"{named[:1].upper()}{named[1:]} {'is' if len(fields) < 2 else 'are'} taken.",
        details=dict.fromkeys(fields, "is taken"),
    )


def unusable() -> ConfigurationError:
    """The error for a database that is not there, is none, or does not let us in."""
    return ConfigurationError(
        "The database cannot be opened: check the name, the folder or host, and the password in DATABASE_URL."
    )


def read_only() -> ConfigurationError:
    """The error for a write where only reading is allowed."""
    return ConfigurationError(
        "Something was written outside a transaction: put @transactional on the command's handler. "
        "Queries and handlers without it can only read."
    )
