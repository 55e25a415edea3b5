"""SQLite in WAL mode: one writing connection, for which tasks queue, and read-only connections."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.core.config import Settings
from app.core.cqrs import ConflictError, CQRSError, TransientError
from app.persistence.engine import sqlite_connections
from app.persistence.engine.connection_pool import ConnectionPool
from app.persistence.engine.errors import exhausted, read_only, taken, translate_errors, unusable

WRITER = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")
READER = ("PRAGMA query_only=ON",)
UNUSABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB})
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
EXHAUSTED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN})
UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})


def writing_engine(settings: Settings) -> AsyncEngine:
    """The engine of units of work.

    SQLite's own lock is unfair: under load some writers never get it. So writers queue for one connection.
    BEGIN IMMEDIATE takes the lock first, so that no data read in the transaction can be out of date.
    """
    return _engine(settings, settings.database_url, 1, WRITER, "BEGIN IMMEDIATE")


def reading_engine(settings: Settings) -> AsyncEngine:
    """The engine of queries: it cannot write, and does not wait for writers."""
    url = settings.read_database_url or settings.database_url
    return _engine(settings, url, settings.database_pool_size, READER, "BEGIN")


def migrating_engine(settings: Settings) -> AsyncEngine:
    """The engine of migrations: it checks no foreign keys, because changing a table means to copy and drop it.

    `schema.references` looks afterwards whether they hold.
    """
    return _engine(settings, settings.database_url, 1, ("PRAGMA journal_mode=WAL",), "BEGIN IMMEDIATE")


def _engine(settings: Settings, url: str, size: int, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    _require_usable(url)
    # The driver begins transactions by itself, too late and too weak, unless isolation_level is None.
    engine = create_async_engine(
        url,
        poolclass=ConnectionPool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_seconds,
        connect_args={
            "isolation_level": None,
            "timeout": settings.database_lock_timeout_seconds,
            "factory": sqlite_connections.Connection,
            "async_creator_fn": partial(sqlite_connections.connect, pragmas),
        },
    )

    def begin_transaction(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":  # which a migration may set
            connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "invalidate", sqlite_connections.interrupt)
    event.listen(engine.sync_engine, "begin", begin_transaction)
    translate_errors(engine, partial(classify, is_writer=pragmas is not READER))
    return engine


@contextmanager
def exclusively(engine: AsyncEngine, purpose: str, patience_seconds: float = 0) -> Iterator[bool]:
    """Hold the lock of `purpose` inside, against this process and all others; yields whether it was obtained.

    If it is taken, the calling thread blocks for up to `patience_seconds`.
    The lock is SQLite's own, on a file beside the database, and ends with the process that holds it.
    """
    file = (engine.url.database or "").removeprefix("file:").partition("?")[0]
    beside = f"{file}-{purpose}"
    with closing(sqlite3.connect(beside, timeout=patience_seconds, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            yield False
        else:
            yield True


def _require_usable(url: str) -> None:
    """Open the file once, before the driver does: if it failed, it would leave behind a thread that fails, too.

    Raises:
        ConfigurationError: if the file cannot be opened, or is not a database.
    """
    file = make_url(url).database or ""
    try:
        with closing(sqlite3.connect(file, timeout=0, uri=file.startswith("file:"))) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in UNUSABLE:
            raise unusable() from error


def classify(error: BaseException, *, is_writer: bool = True) -> CQRSError | None:
    """Translate an error of SQLite by its code."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)
    if code in UNIQUE:
        return taken(*_violated(str(error)))
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return ConflictError("This refers to something that does not exist, or is still referred to.")
    if code & 0xFF in BUSY:
        return TransientError("The service is busy, try again in a moment.")
    if code & 0xFF in EXHAUSTED:
        return exhausted()
    return read_only(is_writer=is_writer) if code & 0xFF == sqlite3.SQLITE_READONLY else None


def _violated(message: str) -> tuple[str, list[str]]:
    """The table and columns of "UNIQUE constraint failed: users.email_key"."""
    named: Mapping[str, None] = dict.fromkeys(re.findall(r"(\w+\.\w+)", message))
    columns = [name.partition(".")[2] for name in named]
    return next(iter(named), "").partition(".")[0], columns
