"""Events in a log that nobody delivers but the test, and those they are delivered to."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, insert

from app.core.broker import BrokerDownError
from app.core.cqrs.ids import uuid7
from app.core.relay import Relay
from app.persistence.database import Database
from app.persistence.outbox import Outbox
from app.persistence.stored_event import StoredEvent
from app.persistence.tables import event_log

MOST_ATTEMPTS = 3


def event_of(aggregate: str | None, version: int | None = None, **values: Any) -> StoredEvent:
    """An event of an aggregate."""
    known: dict[str, Any] = {
        "id": uuid7(),
        "aggregate_type": None if aggregate is None else "Thing",
        "aggregate_id": aggregate,
        "version": version,
        "event_type": "Happened",
        "event_version": 1,
        "payload": {},
        "metadata": {},
        "occurred_at": datetime.now(UTC),
    }
    return StoredEvent(**(known | values))


async def store(database: Database, *events: StoredEvent, table: Table = event_log) -> list[UUID]:
    """Put events into a table, as commands do; their ids."""
    async with database.writing() as session, session.begin():
        await session.execute(insert(table), [event.row() for event in events])
    return [event.id for event in events]


def outbox_of(database: Database, table: Table = event_log, retry_seconds: float = 0.0) -> Outbox:
    """What waits in a table; what fails is due again at once."""
    return Outbox(database, table, MOST_ATTEMPTS, retry_seconds)


async def row_of(database: Database, event_id: UUID, table: Table = event_log) -> Row[Any]:
    """What became of an event."""
    async with database.reading() as session:
        return (await session.execute(table.select().where(table.c.id == event_id))).one()


class Receiver:
    """Takes events, unless it was told otherwise."""

    def __init__(self) -> None:
        self.received: list[StoredEvent] = []
        self.refused: set[UUID] = set()
        self.tried: Counter[UUID] = Counter()
        self.down = False
        self.at_once = 0
        self.most_at_once = 0
        self._arrived = asyncio.Event()

    @property
    def ids(self) -> list[UUID]:
        """The events that were taken, in that order."""
        return [event.id for event in self.received]

    async def __call__(self, event: StoredEvent) -> None:
        """Take an event."""
        self.tried[event.id] += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)  # let the others have their turn
        self.at_once -= 1
        if self.down:
            raise BrokerDownError("The broker is away.")
        if event.id in self.refused:
            raise ValueError("This one does not go through.")
        self.received.append(event)
        self._arrived.set()

    async def has(self, count: int) -> None:
        """Wait until so many events were taken."""
        while len(self.received) < count:
            self._arrived.clear()
            await self._arrived.wait()


def relay_of(outbox: Outbox, receiver: Receiver, at_once: int = 10, poll_seconds: float = 60.0) -> Relay:
    """A relay that looks for events when it is told to."""
    return Relay(outbox, receiver, at_once=at_once, poll_seconds=poll_seconds)
