"""The event log: what happened, stored with the state it changed. Nothing in it is ever changed."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.cqrs import ConcurrencyError, ConflictError, DomainEvent, EventRecord
from app.persistence.errors import final
from app.persistence.tables import event_log

INSERT = insert(event_log)


async def append(session: AsyncSession, records: Sequence[EventRecord]) -> None:
    """Add events to the log.

    Raises:
        ConcurrencyError: there is an event of the same aggregate and version already.
    """
    await session.run_sync(_append, [_row(record) for record in records])


def _append(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    session.flush()  # so that a conflict below is one of the log, not of the state
    try:
        session.execute(INSERT, rows)
    except ConflictError as error:
        raise final(ConcurrencyError("Somebody else changed this in the meantime: read it again.")) from error


def _row(record: EventRecord) -> dict[str, Any]:
    event, raised, metadata = record.event, record.raised, record.metadata
    return {
        "id": event.event_id,
        "aggregate_type": raised.aggregate_type,
        "aggregate_id": raised.aggregate_id,
        "version": raised.version,
        "event_type": event.event_type,
        "payload": adapters[type(event)].dump_python(event, mode="json", exclude={"event_id", "occurred_at"}),
        "metadata": {
            "operation_id": metadata.operation_id,
            "correlation_id": metadata.correlation_id,
            "causation_id": metadata.causation_id,
            "user_id": metadata.user_id,
            "source": metadata.source,
            "version": metadata.version,
        },
        "occurred_at": event.occurred_at,
    }


class Adapters(dict[type[DomainEvent], TypeAdapter[Any]]):
    """Event class -> what writes it as JSON, made when it is first needed."""

    def __missing__(self, event_type: type[DomainEvent]) -> TypeAdapter[Any]:
        adapter = self[event_type] = TypeAdapter(event_type)
        return adapter


adapters = Adapters()
