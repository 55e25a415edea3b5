"""What became of the events of a database, held against what arrived and what it caused."""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, NullPool, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.persistence.event_tables import event_log, reactions, received_events
from tests.chaos.bank import effects
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database


@dataclass(frozen=True)
class Arrival:
    """A CloudEvent, as somebody in another language would read it."""

    id: UUID
    source: str
    subject: str
    version: int

    @classmethod
    def read(cls, body: bytes) -> "Arrival":
        """What is in a message."""
        said = json.loads(body)
        return cls(UUID(said["id"]), said["source"], said["subject"], int(said["sequence"]))


@asynccontextmanager
async def looking(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection of somebody who has nothing to do with the service, and who sees what is committed now."""
    engine = create_async_engine(database.driver_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def drained(database: Database, seconds: float) -> None:
    """Wait until no event waits, for whoever it is.

    Raises:
        Violation: some still do after so many seconds.
    """
    async with looking(database) as connection:

        async def none_waits() -> bool:
            new = (exists().where(table.c.published_at.is_(None)) for table in (event_log, received_events))
            return not await connection.scalar(select(or_(exists(select(reactions.c.event_id)), *new)))

        await until(none_waits, "All events are to be delivered", seconds)


async def all_caused_once(database: Database, seconds: float) -> None:
    """Wait until every event had its effect.

    Raises:
        Violation: some had none after so many seconds, or had more than one.
    """
    async with looking(database) as connection:
        events = await counted(connection, event_log.c.id)

        async def all_have() -> bool:
            return await counted(connection, effects.c.event_id.distinct()) >= events

        await until(all_have, f"{events} events are to have their effects", seconds)
        twice = await counted(connection, effects.c.place) - events
    require(twice == 0, f"There are {twice} effects too many of {events} events.")


async def counted(connection: AsyncConnection, what: ColumnElement[Any]) -> int:
    """How many there are of a column."""
    return await connection.scalar(select(func.count(what))) or 0


async def check_arrived(database: Database, arrivals: Sequence[Arrival], *, once: bool = False) -> int:
    """Every event of the log arrived, in the order of its aggregate, and none waits any more.

    Args:
        database: whose log it is.
        arrivals: what was sent to others, in that order.
        once: whether none may be there twice.

    Returns:
        How many events there are.

    Raises:
        Violation: it is not so.
    """
    async with looking(database) as connection:
        rows = (await connection.execute(select(event_log.c.id))).all()
        waiting = await counted(connection, reactions.c.event_id)
    require(not waiting, f"{waiting} of {len(rows)} events wait.")
    ids, seen = {row.id for row in rows}, Counter(event.id for event in arrivals)
    require(ids <= seen.keys(), f"{len(ids - seen.keys())} of {len(ids)} events never arrived.")
    require(seen.keys() <= ids, f"{len(seen.keys() - ids)} messages tell of no event.")
    twice = seen.total() - len(seen)
    require(not (once and twice), f"{twice} of {len(ids)} events arrived more than once.")
    first = {event.id: event for event in reversed(arrivals)}  # of each the first arrival, the last one first
    check_order((event.subject, event.version) for event in reversed(first.values()))
    return len(rows)


async def check_order_of_effects(database: Database) -> None:
    """What an aggregate's events caused at one handler, they caused in their order. Each kind has a handler of its own.

    Raises:
        Violation: it is not so.
    """
    joined = effects.join(event_log, event_log.c.id == effects.c.event_id)
    stream = (event_log.c.aggregate_id, event_log.c.event_type)
    number = func.row_number().over(partition_by=stream, order_by=event_log.c.version).label("number")
    by_place = select(*stream, number).select_from(joined).order_by(effects.c.place)
    async with looking(database) as connection:
        rows = (await connection.execute(by_place)).all()
    check_order((f"{row.event_type} {row.aggregate_id}", row.number) for row in rows)


def check_order(numbered: Iterable[tuple[str, int]]) -> None:
    """Each aggregate's events are numbered 1, 2, 3...

    Raises:
        Violation: they are not.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for key, number in numbered:
        numbers[key].append(number)
    wrong = [key for key, seen in numbers.items() if seen != list(range(1, len(seen) + 1))]
    require(not wrong, f"{len(wrong)} of {len(numbers)} aggregates are out of order, {wrong[:1]}.")
