"""The event log: events, stored in the transaction that changed the state. The content of an event never changes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.cqrs import ConcurrencyError, ConfigurationError, ConflictError, CQRSError, EventRecord
from app.persistence.engine.errors import final
from app.persistence.event_tables import event_log
from app.persistence.events.stored_event import StoredEvent, columns_of, row_of

INSERT = insert(event_log)


async def append(session: AsyncSession, records: Sequence[EventRecord]) -> None:
    """Append events to the log.

    Raises:
        ConcurrencyError: if the log already has an event of the same aggregate and version, the first one too.
        ConfigurationError: if an event was published twice.
    """
    await session.run_sync(_append, [row_of(record) for record in records])


def _append(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    session.flush()  # a conflict below then comes from the log, not from the state
    try:
        session.connection().execute(INSERT, rows)
    except ConflictError as error:
        raise final(_collision(rows)) from error


def _collision(rows: Sequence[dict[str, Any]]) -> CQRSError:
    """The error for a duplicate version. An aggregate with rows has conflicted earlier, when they were flushed.

    That of a first version may pass, too: a new attempt finds the aggregate that it did not find before.
    """
    if len({row["id"] for row in rows}) < len(rows) or all(row["version"] is None for row in rows):
        return ConfigurationError("An event was published twice: what happens again is a new event, so make a new one.")
    first: dict[tuple[Any, Any], int] = {}
    for row in rows:
        if row["version"] is not None:
            first.setdefault((row["aggregate_type"], row["aggregate_id"]), row["version"])
    kinds = {str(kind) for kind, _ in first}
    if {*first.values()} == {1} and len(kinds) == 1:
        return ConcurrencyError(f"There is a {kinds.pop().lower()} with this id already.")
    return ConcurrencyError("Somebody else changed this in the meantime: read it again.")


async def stream(session: AsyncSession, aggregate_type: str, aggregate_id: str) -> list[StoredEvent]:
    """The events of one aggregate, from the first."""
    log = event_log.c
    of_aggregate = (log.aggregate_type == aggregate_type, log.aggregate_id == aggregate_id)
    rows = await session.execute(select(*columns_of(event_log)).where(*of_aggregate).order_by(log.version))
    return [StoredEvent(**row) for row in rows.mappings()]
