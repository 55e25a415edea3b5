"""Keeps read models up to date while the service runs: each projection has a handler, which folds event by event."""

from abc import ABC
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseEventHandler,
    ConfigurationError,
    DomainEvent,
    RaisedEvent,
    event_handler,
    retry_on_failure,
    transactional,
)
from app.core.event_types import EventTypes
from app.persistence.events.event_log import stream
from app.persistence.projections.folding import fold, fold_all, locked
from app.persistence.projections.projection import Projection

LOCK_ID = 0x61707073
"""Not the id of the lock of a rebuild."""


class ProjectionHandler(BaseEventHandler[DomainEvent], ABC):
    """Base of the handlers of projections. Events that a row already includes change nothing.

    It refuses an event that a rebuild would not find, because an aggregate of another type raised it.
    """

    projection: ClassVar[Projection]

    session: AsyncSession
    types: EventTypes

    async def _handle(self, event: DomainEvent) -> None:
        raised = self.record.raised
        if raised.version is not None and raised.aggregate_type != self.projection.aggregate_type:
            raise ConfigurationError(
                f"{event.event_type} was raised by {raised.aggregate_type}, but the projection {self.projection.name} "
                f"folds the events of {self.projection.aggregate_type}: correct its aggregate_type or its events."
            )
        project = fold_raised if self.projection.in_transaction else fold_committed
        await project(self.session, self.projection, raised, self.types)


@cache
def handler_of(projection: Projection) -> type[ProjectionHandler]:
    """The class of the handler of a projection: `daily_sales` has the `ProjectDailySalesHandler`."""
    name = f"Project{projection.name.title().replace('_', '')}Handler"
    members: dict[str, Any] = {"projection": projection, "__module__": __name__}
    handler: type[ProjectionHandler] = type(name, (ProjectionHandler,), members)
    if not projection.in_transaction:
        handler = transactional()(retry_on_failure(max_attempts=3, delay_seconds=0.1)(handler))
    return event_handler(projection.events, in_transaction=projection.in_transaction)(handler)


async def fold_raised(session: AsyncSession, projection: Projection, raised: RaisedEvent, types: EventTypes) -> None:
    """Fold an event that was just raised into its read model, in the same transaction, that of the session."""
    await fold_all(session, projection, [raised], _own_tables(projection))


async def fold_committed(session: AsyncSession, projection: Projection, raised: RaisedEvent, types: EventTypes) -> None:
    """Fold a committed event into its read model, in the transaction of the session.

    With several workers an event may arrive before an earlier one of its aggregate. Then the earlier ones are read from
    the log, and skipped when they arrive.
    """
    if session.get_bind().dialect.name == "postgresql":  # a row that does not exist yet cannot be locked
        one = f"{projection.name} {raised.aggregate_id}"
        await session.execute(select(func.pg_advisory_xact_lock(LOCK_ID, func.hashtext(one))))
    before = await locked(session, projection.table, [raised])
    last = max((row["version"] for row in before.values()), default=0)
    events = [raised]
    if raised.version is not None and raised.version > last + 1:
        stored = await stream(session, projection.aggregate_type, str(raised.aggregate_id))
        events = [event.record(types).raised for event in stored if (event.version or 0) > last]
    await fold(session, projection, events, before, _own_tables(projection))


def _own_tables(projection: Projection) -> Mapping[Table, Table]:
    return {table: table for table in projection.tables}
