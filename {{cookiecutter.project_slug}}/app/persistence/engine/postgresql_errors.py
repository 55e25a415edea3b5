"""Translates errors of PostgreSQL by their SQLSTATE."""

from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint

from app.core.cqrs import ConfigurationError, ConflictError, CQRSError, ServiceUnavailableError, TransientError
from app.persistence.engine.errors import lost_connection, read_only, taken, unusable
from app.persistence.engine.pooler import STATEMENT_MODE, pooled, torn
from app.persistence.tables import metadata

TRANSIENT = frozenset({"40001", "40P01", "55P03", "53300"})
"""Serialisation failure, deadlock, lock not available (a lock time-out or NOWAIT), too many connections."""

NEEDS_TRANSACTION = "25P01"
"""SQLSTATE of an operation that is allowed only in a transaction, such as opening a server-side cursor."""

LOST = frozenset({"57P01", "57P02", "57P03", "25P03"})
"""Admin shutdown, crash shutdown, server not accepting connections, idle-transaction time-out.

Apart from the refusals by a pooler, SQLSTATEs of class 08, connection exceptions, are treated as lost, too.
"""


def classify(error: BaseException) -> CQRSError | None:
    """Translate an error of PostgreSQL by its SQLSTATE. The two refusals by a pooler have SQLSTATEs of class 08, too.

    If the connection was lost, `errors.translate_errors` reports that instead, unless this is a ConfigurationError.
    """
    state = str(getattr(error, "sqlstate", None) or "")
    if state in TRANSIENT:
        return TransientError("The service is busy, try again in a moment.")
    if state == "08P01" and "startup parameter" in str(error):
        return pooled()
    if state.startswith("08") and STATEMENT_MODE in str(error):
        return torn()
    if state in LOST or state.startswith("08"):
        return lost_connection()
    if state == "57014":
        return ServiceUnavailableError("The database took too long.")
    if state == "23505":
        return taken(*_violated(error.__cause__))
    if state == "23503":
        return ConflictError("This refers to something that does not exist, or is still referred to.")
    if state == "3D000" or state.startswith("28"):
        return unusable()
    if state == NEEDS_TRANSACTION:
        return _outside_of_transaction()
    return read_only() if state == "25006" else None


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
