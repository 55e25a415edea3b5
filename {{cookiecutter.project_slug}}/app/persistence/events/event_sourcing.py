"""Aggregates that are kept as their events alone: made again from their stream in the event log."""

from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import EventSourcedAggregate, ResourceNotFoundError
from app.core.cqrs.event_types import EventTypes
from app.persistence.engine.sessions import hold
from app.persistence.events.event_log import stream

A = TypeVar("A", bound=EventSourcedAggregate)


class EventStreams:
    """Event-sourced aggregates of any class, in the unit of work of the operation.

    Nobody is locked out: of two who add to one stream at once, the second is told so by the commit.
    """

    def __init__(self, session: AsyncSession, types: EventTypes) -> None:
        self._session = session
        self._types = types
        self._known: dict[tuple[type, str], Any] = {}

    def add(self, aggregate: A) -> A:
        """Store a new aggregate, with the commit: its events are all there is to store."""
        hold(self._session.sync_session, aggregate)
        self._known[type(aggregate), str(aggregate.id)] = aggregate
        return aggregate

    async def load(self, kind: type[A], aggregate_id: object) -> A:
        """An aggregate as its events made it; what it raises from now on is stored with the commit.

        Whoever asks for it again in the same operation gets the same object.

        Raises:
            ResourceNotFoundError: nothing ever happened to it.
            UnreadableEventError: an event of it has no class any more, or its class cannot read it.
        """
        known: A | None = self._known.get((kind, str(aggregate_id)))
        if known is not None:
            return known
        stored = await stream(self._session, kind.aggregate_type, str(aggregate_id))
        if not stored:
            raise ResourceNotFoundError(f"There is no such {kind.__name__.lower()}.")
        aggregate = kind(aggregate_id)
        aggregate.replay(event.record(self._types).raised for event in stored)
        return self.add(aggregate)
