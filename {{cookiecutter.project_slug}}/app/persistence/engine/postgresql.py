"""PostgreSQL: connections with time-outs, so that nothing a client abandons runs or holds locks for ever.

The time-outs are start-up parameters of a connection. A pooler does not pass these on, and gives each transaction
another connection, so with `DATABASE_POOLER` they are set in each transaction.
"""

from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.core.config import Settings
from app.persistence.engine.connection_pool import ConnectionPool
from app.persistence.engine.errors import translate_errors
from app.persistence.engine.pooler import connect_args, pooled, require_transactions, torn
from app.persistence.engine.postgresql_connections import address_and_arguments
from app.persistence.engine.postgresql_errors import NEEDS_TRANSACTION, classify

READ_ONLY = frozenset({"transaction_read_only", "default_transaction_read_only"})
RELAY_CONNECTIONS = 5
"""At least one each to listen, notify, claim, store received events, and look up the inbox."""
LONGEST_RELAY_PAUSE_SECONDS = 10
"""How long a transaction of the relay may be idle before the server ends it.

A process that stands still would hold up the relays of all others, while the kernel of its machine goes on answering.
"""
TRUSTED_SECONDS = 1.0
"""A connection used this recently is assumed to be alive: a ping takes three round trips."""


def writing_engine(settings: Settings) -> AsyncEngine:
    """The engine of units of work."""
    return _engine(settings, settings.database_url, _limits(settings))


def reading_engine(settings: Settings) -> AsyncEngine:
    """The engine of queries: it can only read, and each statement is a transaction of its own.

    In READ COMMITTED, PostgreSQL's default, the statements of a transaction have no common snapshot either, and BEGIN
    and ROLLBACK cost two more round trips. A handler that needs one snapshot for several statements, or a server-side
    cursor, calls `sessions.at_one_moment` before its first statement.

    Behind a pooler only a transaction can be read-only, so there the statements of a query share one.
    """
    limits, url = _limits(settings), settings.read_database_url or settings.database_url
    if settings.database_pooler:
        return _engine(settings, url, limits | {"transaction_read_only": "on"})
    limits["default_transaction_read_only"] = "on"
    engine = _engine(settings, url, limits, isolation_level="AUTOCOMMIT")
    event.listen(engine.sync_engine, "handle_error", _drop_half_asked)
    return engine


def _drop_half_asked(context: ExceptionContext) -> None:
    """Discard a connection on which asyncpg prepared a cursor and then refused it: a transaction is half begun."""
    if getattr(context.original_exception, "sqlstate", None) == NEEDS_TRANSACTION:
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False


def relaying_engine(settings: Settings) -> AsyncEngine:
    """The engine of the relay. Its own connections let it deliver events while all others are in use.

    By TCP keepalives the server detects a vanished relay within a minute, and releases its locks. Behind a pooler,
    which holds the connection, the time-out for idle transactions does so.
    """
    limits = _limits(settings)
    if not settings.database_pooler:
        limits |= {
            "idle_in_transaction_session_timeout": str(LONGEST_RELAY_PAUSE_SECONDS * 1000),
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }
    size = max(settings.database_pool_size, RELAY_CONNECTIONS)
    return _engine(settings, settings.database_url, limits, "-relay", size)


def migrating_engine(settings: Settings) -> AsyncEngine:
    """The engine of migrations: it sets no time-outs, and has a second connection for the lock."""
    return _engine(settings, settings.database_url, {}, "-migrations", 2)


def _engine(
    settings: Settings, url: str, limits: dict[str, str], name: str = "", size: int | None = None, **options: Any
) -> AsyncEngine:
    address, connect = address_and_arguments(settings, url, name)
    if settings.database_pooler:
        connect |= connect_args(limits)
        options["isolation_level"] = "READ COMMITTED"  # other clients may have left another default
    else:
        connect["server_settings"] |= limits
    engine = create_async_engine(
        address,
        **options,
        poolclass=ConnectionPool,
        pool_size=size or settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_seconds,
        connect_args=connect,
    )
    if settings.database_pooler:
        require_transactions(engine)
    translate_errors(engine, partial(classify, is_writer=not READ_ONLY & limits.keys()))
    ping_idle_connections(engine)
    return engine


def ping_idle_connections(engine: AsyncEngine) -> None:
    """Ping a connection that was idle when it is checked out, to detect that it is dead before work begins.

    SQLAlchemy's `pool_pre_ping` pings every time, which costs a fifth of a write.
    """
    dialect = engine.sync_engine.dialect

    def given_back(connection: Any, record: Any) -> None:
        record.info["idle_since"] = monotonic()

    def taken_out(connection: Any, record: Any, proxy: Any) -> None:
        if monotonic() - record.info.get("idle_since", monotonic()) < TRUSTED_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "checkin", given_back)
    event.listen(engine.sync_engine, "checkout", taken_out)


def _limits(settings: Settings) -> dict[str, str]:
    seconds = {
        "statement_timeout": settings.database_statement_timeout_seconds,
        "lock_timeout": settings.database_lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.database_idle_transaction_timeout_seconds,
    }
    return {name: str(round(value * 1000)) for name, value in seconds.items()}


async def require_settings(settings: Settings, writing: AsyncEngine, reading: AsyncEngine) -> None:
    """Make sure that transactions have the configured time-outs and read-only mode, and that no unknown pooler exists.

    Raises:
        ConfigurationError: if a setting differs, so that the reading engine can write or a statement can wait for ever,
            or if there is a pooler without `DATABASE_POOLER`.
    """
    for engine, mode in ((reading, {"transaction_read_only": "on"}), (writing, {})):
        wanted = _limits(settings) | mode
        asked = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)").bindparams(names=list(wanted))
        async with engine.connect() as connection:
            found = await connection.execute(asked)
            if {row.name: row.setting for row in found} != wanted:
                raise torn() if settings.database_pooler else pooled()
        await require_no_pooler(settings, engine)


async def require_no_pooler(settings: Settings, engine: AsyncEngine) -> None:
    """Make sure that there is no unknown pooler: the server process that answers must be the one connected to.

    A pooler may have the right settings by chance, but LISTEN and prepared statements would be on shared connections.

    Raises:
        ConfigurationError: if there is a pooler without `DATABASE_POOLER`.
    """
    if settings.database_pooler:
        return
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if await connection.scalar(text("SELECT pg_backend_pid()")) != driver.get_server_pid():
            raise pooled()
