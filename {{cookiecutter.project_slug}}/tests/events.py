"""Events in a log that nobody delivers but the test, and those they are delivered to."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, Table, insert, select

from app.composition.relay import Relay
from app.core.ids import uuid7
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import at_once, shared_time
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events import outbox_statements
from app.persistence.events.outbox import Outbox
from app.persistence.events.outbox_statements import OWN
from app.persistence.events.reaction import Claimed, reason
from app.persistence.events.stored_event import StoredEvent

MOST_ATTEMPTS = 3
HANDLER = "Handler"
OTHERS = "others"
"""A service whose events are received."""


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
    """Put events into a table, as commands and consumers do; their ids."""
    received = {"source": OTHERS, "received_at": datetime.now(UTC)} if table is received_events else {}
    async with database.writing() as session, session.begin():
        await session.execute(insert(table), [event.row() | received for event in events])
    return [event.id for event in events]


async def let_wait(
    database: Database,
    event: StoredEvent,
    error: Exception | None = None,
    *,
    handler: str = HANDLER,
    dead: bool = True,
    behind: bool = False,
    attempts: int = 1,
) -> StoredEvent:
    """Let an event wait for a handler that failed with an error, or has not had it, or has one before it."""
    async with database.writing() as session, session.begin():
        if await session.scalar(select(event_log.c.id).where(event_log.c.id == event.id)) is None:
            await session.execute(insert(event_log), event.row() | {"published_at": datetime.now(UTC)})
        dead = dead and error is not None
        row = {
            "event_id": event.id,
            "handler": handler,
            "source": OWN,
            "aggregate_type": event.aggregate_type,
            "aggregate_id": event.aggregate_id,
            "version": event.version,
            "due_at": None if dead or behind else at_once(datetime.now(UTC)),
            "attempts": 0 if error is None else attempts,
            "last_error": None if error is None else reason(error),
            "dead": dead,
        }
        await session.execute(insert(reactions), row)
    return event


@contextmanager
def shared_clock_ahead(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock that all processes share is set back by five seconds when this ends."""

    async def ahead(*args: Any) -> datetime:
        return await shared_time(*args) + timedelta(seconds=5)

    with monkeypatch.context() as before:
        before.setattr(outbox_statements, "shared_time", ahead)
        yield


def outbox_of(
    database: Database,
    *handlers: str,
    retry_seconds: float = -1.0,
    events: tuple[str, ...] = ("Happened",),
    **options: Any,
) -> Outbox:
    """The outbox of a service with these handlers; what fails is due again at once, if the clock is set back, too."""
    known = {(source, name): handlers or (HANDLER,) for source in (OWN, OTHERS) for name in events}
    return Outbox(
        database, lambda: known, **({"max_attempts": MOST_ATTEMPTS, "retry_seconds": retry_seconds} | options)
    )


async def claim(outbox: Outbox, *handlers: str, free: int = 100) -> list[Claimed]:
    """Hand out what is new, and claim what is due."""
    while await outbox.hand_out():
        pass
    return await outbox.turn([], dict.fromkeys(handlers or (HANDLER,), free))


async def row_of(database: Database, event_id: UUID, table: Table = event_log) -> Row[Any]:
    """An event."""
    async with database.reading() as session:
        return (await session.execute(table.select().where(table.c.id == event_id))).one()


async def reaction_of(database: Database, event_id: UUID, handler: str = HANDLER) -> Row[Any] | None:
    """What became of an event at a handler; None: it is done, or was not handed out."""
    r = reactions.c
    async with database.reading() as session:
        found = await session.execute(reactions.select().where(r.event_id == event_id, r.handler == handler))
        return found.one_or_none()


class AwayError(Exception):
    """Nobody takes anything now."""


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

    async def __call__(self, claimed: Claimed) -> None:
        """Take an event."""
        event = claimed.event
        self.tried[event.id] += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)  # let the others have their turn
        self.at_once -= 1
        if self.down:
            raise AwayError("It is away.")
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
    return Relay(outbox, receiver, places=lambda _: at_once, poll_seconds=poll_seconds, pausing=(AwayError,))
