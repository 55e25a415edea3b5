"""Aggregates that are stored only as their events, and loaded by replaying their stream in the event log."""

from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import EventSourcedAggregate, ResourceNotFoundError
from app.core.event_types import EventTypes
from app.persistence.engine.savepoints import is_unmade
from app.persistence.engine.sessions import hold
from app.persistence.events.event_log import stream

A = TypeVar("A", bound=EventSourcedAggregate)


class EventStreams:
    """The repository of event-sourced aggregates of any class, in the unit of work of the operation.

    Locking is optimistic: if two operations append to one stream concurrently, the commit of the second one fails.
    """

    def __init__(self, session: AsyncSession, types: EventTypes) -> None:
        self._session = session
        self._types = types
        self._known: dict[tuple[type, str], Any] = {}

    def add(self, aggregate: A) -> A:
        """Add a new aggregate. The commit stores its events, and nothing else."""
        hold(self._session.sync_session, aggregate)
        self._known[type(aggregate), str(aggregate.id)] = aggregate
        return aggregate

    async def load(self, kind: type[A], aggregate_id: object) -> A:
        """Load an aggregate by replaying its events. The commit stores the events that it raises from now on.

        A second call for the same aggregate within the operation returns the same object.

        Raises:
            ResourceNotFoundError: if the log has no event of it.
            UnreadableEventError: if one of its events has no class any more, or its class cannot read it.
        """
        known: A | None = self._known.get((kind, str(aggregate_id)))
        if known is not None and not is_unmade(self._session.sync_session, known):
            return known
        stored = await stream(self._session, kind.aggregate_type, str(aggregate_id))
        if not stored:
            raise ResourceNotFoundError(f"There is no such {kind.__name__.lower()}.")
        aggregate = kind(aggregate_id)
        aggregate.replay(event.record(self._types).raised for event in stored)
        return self.add(aggregate)
