"""Translates errors of PostgreSQL by their SQLSTATE."""

from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint

from app.core.cqrs import ConfigurationError, ConflictError, CQRSError, ServiceUnavailableError, TransientError
from app.persistence.engine.errors import exhausted, forbidden, lost_connection, read_only, taken
from app.persistence.engine.pooler import STATEMENT_MODE, pooled, torn
from app.persistence.tables import metadata

TRANSIENT = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available (a lock time-out or NOWAIT)."""

EXHAUSTED = frozenset({"58000", "58030"})
"""System error and I/O error, which are treated like class 53: too many connections, out of memory, disk full."""

IN_RECOVERY = "cannot set transaction read-write mode during recovery"
"""How a standby refuses what the engine of units of work sets in each transaction behind a pooler."""

NEEDS_TRANSACTION = "25P01"
"""SQLSTATE of an operation that is allowed only in a transaction, such as opening a server-side cursor."""

LOST = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"})
"""Admin shutdown, crash shutdown, server not accepting connections, database dropped, time-outs that end a connection.

Apart from the refusals by a pooler, SQLSTATEs of class 08, connection exceptions, are treated as lost, too.
"""


def classify(error: BaseException, *, is_writer: bool = True) -> CQRSError | None:
    """Translate an error of PostgreSQL by its SQLSTATE.

    What refuses a connection is an outage, whatever its SQLSTATE: `errors.translate_errors` knows that no other does.
    If the connection was lost, `errors.translate_errors` reports that instead, unless this is a ConfigurationError.
    """
    state = str(getattr(error, "sqlstate", None) or "")
    if state in TRANSIENT:
        return TransientError("The service is busy, try again in a moment.")
    if state in EXHAUSTED or state.startswith("53"):
        return exhausted()
    if state in LOST or state.startswith("08"):
        return _disconnected(state, str(error))
    if state == "57014":
        return ServiceUnavailableError("The database took too long.")
    if state == "23505":
        return taken(*_violated(error.__cause__))
    if state == "23503":
        return ConflictError("This refers to something that does not exist, or is still referred to.")
    if state == "42501":
        return forbidden(str(error.__cause__ or error).partition("\n")[0])
    if state == NEEDS_TRANSACTION:
        return _outside_of_transaction()
    is_read_only = state == "25006" or (state == "0A000" and IN_RECOVERY in str(error))
    return read_only(is_writer=is_writer) if is_read_only else None


def _disconnected(state: str, text: str) -> CQRSError:
    """The error for a connection that is gone, or that a pooler refuses, which has SQLSTATEs of class 08, too."""
    if state == "08P01" and "startup parameter" in text:
        return pooled()
    return torn() if STATEMENT_MODE in text else lost_connection()


def _outside_of_transaction() -> ConfigurationError:
    return ConfigurationError(
        "A server-side cursor needs a transaction, which queries do not have. Before the first statement: "
        "`await at_one_moment(self.session)`, of app.persistence.engine.sessions."
    )


def _violated(error: Any) -> tuple[str, list[str]]:
    """The table and columns of the violated unique constraint or index; no columns if the metadata lacks it."""
    table = metadata.tables.get(error.table_name or "")
    for unique in () if table is None else (*table.constraints, *table.indexes):
        if isinstance(unique, (PrimaryKeyConstraint, UniqueConstraint, Index)) and unique.name == error.constraint_name:
            return error.table_name, [column.name for column in unique.columns]
    return error.table_name or "", []
