"""Behind a pooler, such as PgBouncer, each transaction may have another connection to PostgreSQL.

So each BEGIN also sets the parameters with which a connection would otherwise be opened, and resets leftovers of other
clients for the duration of the transaction. Prepared statements have no names, which would stay on the connection, and
nothing is executed outside of a transaction, where neither the time-outs nor the read-only mode would apply.
"""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.cqrs import ConfigurationError

EVERY_TRANSACTION = {
    "transaction_read_only": "off",
    "search_path": "DEFAULT",
    "statement_timeout": "DEFAULT",
    "lock_timeout": "DEFAULT",
    "idle_in_transaction_session_timeout": "DEFAULT",
}
"""Leftovers of other clients that would change the effect of a transaction, or how long it may take."""
STATEMENT_MODE = "statement pooling mode"
"""A part of the message with which PgBouncer refuses BEGIN."""


def connect_args(limits: dict[str, str]) -> dict[str, Any]:
    """The arguments with which asyncpg connects to a pooler, and begins transactions with these limits.

    Without asyncpg's cache, prepared statements have no names. SQLAlchemy's cache would keep their first description,
    and PostgreSQL, which no longer has these statements, could not report that a table has changed since.
    """
    values = EVERY_TRANSACTION | limits
    return {
        "connection_class": _beginning_with("; ".join(f"SET LOCAL {name} TO {values[name]}" for name in values)),
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
    }


def _beginning_with(settings: str) -> type[Any]:
    from asyncpg import Connection as PlainConnection  # a service on SQLite does not import it

    class PooledConnection(PlainConnection):  # type: ignore[misc]
        """Begins each transaction with its settings, in one round trip."""

        async def execute(self, query: str, *args: Any, **options: Any) -> Any:
            if query.startswith("BEGIN"):
                query = f"{query} {settings}"
            return await super().execute(query, *args, **options)

    return PooledConnection


def require_transactions(engine: AsyncEngine) -> None:
    """Make an engine refuse statements outside of a transaction."""

    def require_transaction(connection: Connection, *_: Any) -> None:
        if getattr(connection.connection.dbapi_connection, "autocommit", False):
            raise ConfigurationError(
                "Behind a pooler nothing is done outside of a transaction, with AUTOCOMMIT or in an autocommit_block. "
                "For this, let DATABASE_URL be the address of PostgreSQL itself, and leave DATABASE_POOLER out."
            )

    event.listen(engine.sync_engine, "before_cursor_execute", require_transaction)


def pooled() -> ConfigurationError:
    """The error for a pooler that is not declared by `DATABASE_POOLER`."""
    return ConfigurationError(
        "A pooler, such as PgBouncer, stands before the database and does not pass on the time-outs and the read-only "
        "mode that connections are opened with: set DATABASE_POOLER=true, or let DATABASE_URL and READ_DATABASE_URL "
        "lead to PostgreSQL itself."
    )


def torn() -> ConfigurationError:
    """The error for a pooler that splits a transaction over several connections."""
    return ConfigurationError(
        "The pooler before the database does not keep the statements of a transaction together, so neither time-outs "
        "nor the read-only mode hold: let it pool sessions or transactions (PgBouncer: pool_mode = transaction)."
    )
