"""Events that wait to be delivered: who delivers which, and what became of it.

Events of one aggregate are delivered in their order, by one process at a time: who has locked the first that waits,
its head, has the aggregate. An event that fails keeps those behind it waiting, and nobody else.
"""

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.cqrs import ErrorReports, TransientError
from app.core.cqrs.event_types import UnreadableMessageError
from app.persistence.database import Database
from app.persistence.insert import insert_if_new
from app.persistence.sqlite import exclusively
from app.persistence.stored_event import StoredEvent, columns_of
from app.persistence.tables import UtcDateTime

MOST_AGGREGATES = 100
MOST_BEHIND_ONE = 20
LONGEST_BACKOFF_SECONDS = 300.0
LONGEST_REASON = 1000

logger = structlog.get_logger(__name__)


@dataclass
class Claimed:
    """The events that this process delivers now, by aggregate and in order, and what became of them."""

    streams: list[list[StoredEvent]] = field(default_factory=list)
    is_all: bool = True
    """Whether nothing else was due."""
    delivered: list[UUID] = field(default_factory=list)
    failed: list[tuple[StoredEvent, Exception]] = field(default_factory=list)


class Outbox:
    """The waiting events of one table.

    Args:
        database: where they are.
        table: the event log, or the parked events.
        max_attempts: after so many failures an event is dead, and waits for an operator; not if what failed last may
            pass by itself, as an outage does.
        retry_seconds: how long to wait after the first failure; doubled with each more, up to 5 minutes.
        reports: told about events that are dead.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        max_attempts: int,
        retry_seconds: float,
        reports: ErrorReports | None = None,
    ) -> None:
        self._database = database
        self._table = table
        self._heads, self._following = _first_of_each_aggregate(table), _what_waits_behind(table)
        self._max_attempts = max_attempts
        self._retry_seconds = retry_seconds
        self._reports = reports

    @asynccontextmanager
    async def claim(self) -> AsyncIterator[Claimed]:
        """Some of the events that are due; nobody else gets them, and what became of them is stored at the end."""
        if self._database.is_sqlite:
            async with self._claim_alone() as claimed:
                yield claimed
            return
        async with self._database.relaying_engine.begin() as connection:
            claimed = await self._due(connection)
            yield claimed
            await self._store(connection, claimed)
        self._tell_dead(claimed.failed)

    @asynccontextmanager
    async def _claim_alone(self) -> AsyncIterator[Claimed]:
        """The same on SQLite, which has one lock for everything: a second one, beside it, says who delivers."""
        with exclusively(self._database.writing_engine, self._table.name) as mine:
            if not mine:
                yield Claimed()
                return
            async with self._database.relaying_engine.connect() as connection:
                claimed = await self._due(connection)
            yield claimed
            if claimed.delivered or claimed.failed:
                async with self._database.writing_engine.begin() as connection:
                    await self._store(connection, claimed)
                self._tell_dead(claimed.failed)

    async def put(self, event: StoredEvent, error: Exception | None) -> None:
        """Let an event wait here that was not in the table before: because it failed, or behind one that did."""
        row = event.row() | ({} if error is None else self._failure(event, error))
        async with self._database.writing() as session, session.begin():
            is_new = await insert_if_new(session, self._table, row)
        if is_new and error is not None:
            self._tell_dead([(event, error)])

    async def is_waiting(self, event: StoredEvent) -> bool:
        """Whether this event waits here, or an earlier one of its aggregate."""
        waiting = self._table.c
        this = waiting.id == event.id
        if event.aggregate_id is not None:
            same = and_(waiting.aggregate_type == event.aggregate_type, waiting.aggregate_id == event.aggregate_id)
            this = or_(this, same)
        waits = exists().where(waiting.published_at.is_(None), this)
        async with self._database.relaying_engine.connect() as connection:
            return bool(await connection.scalar(select(waits)))

    async def _due(self, connection: AsyncConnection) -> Claimed:
        now, held_up = datetime.now(UTC), set[str]()
        found = await connection.execute(self._heads, {"now": now})
        streams = {head.key: [head] for head in (StoredEvent(**row) for row in found.mappings())}
        heads = [head.id for (head,) in streams.values() if head.aggregate_id is not None]
        if heads:
            for is_due, *values in await connection.execute(self._following, {"heads": heads, "now": now}):
                event = StoredEvent(*values)
                if is_due and event.key not in held_up:
                    streams[event.key].append(event)
                else:
                    held_up.add(event.key)
        is_all = len(streams) < MOST_AGGREGATES and all(len(s) <= MOST_BEHIND_ONE for s in streams.values())
        return Claimed(list(streams.values()), is_all)

    async def _store(self, connection: AsyncConnection, claimed: Claimed) -> None:
        event = self._table.c
        if claimed.delivered:
            delivered = update(self._table).where(event.id.in_(claimed.delivered))
            await connection.execute(delivered.values(published_at=datetime.now(UTC), last_error=None))
        for failed, error in claimed.failed:
            # Not if it was replayed meanwhile, which SQLite, without locks on rows, does not keep anybody from.
            failure = update(self._table).where(event.id == failed.id, event.attempts == failed.attempts)
            await connection.execute(failure.values(self._failure(failed, error)))

    def _failure(self, event: StoredEvent, error: Exception) -> dict[str, Any]:
        attempts = event.attempts + 1
        return {
            "attempts": attempts,
            "last_error": reason(error),
            "next_attempt_at": datetime.now(UTC) + timedelta(seconds=self._wait(attempts)),
            "dead": self._is_dead(event, error),
        }

    def _is_dead(self, event: StoredEvent, error: Exception) -> bool:
        if isinstance(error, UnreadableMessageError):
            return True
        return event.attempts + 1 >= self._max_attempts and not _may_pass(error)

    def _tell_dead(self, failed: Iterable[tuple[StoredEvent, Exception]]) -> None:
        """Say which of those that failed are dead: from now on they wait for somebody, and nobody may be looking."""
        for event, error in failed:
            if not self._is_dead(event, error):
                continue
            logger.error(
                "event_dead",
                table=self._table.name,
                event_type=event.event_type,
                event_id=str(event.id),
                attempts=event.attempts + 1,
                operation_id=event.metadata.get("operation_id"),
                traceparent=event.metadata.get("traceparent"),
                error_type=type(error).__name__,
            )
            if self._reports is not None:
                self._reports.report(error, event.event_type, event.operation())

    def _wait(self, attempts: int) -> float:
        """Between half of the back-off and all of it, so that what failed together is not tried together."""
        longest = min(self._retry_seconds * 2.0 ** min(attempts - 1, 30), LONGEST_BACKOFF_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311  # no secret


def _first_of_each_aggregate(table: Table) -> Select[Any]:
    """Of each aggregate the first event that waits, locked, unless it is not due yet or somebody has it."""
    event, earlier = table.c, table.alias("earlier").c
    has_earlier = exists().where(
        earlier.published_at.is_(None),
        earlier.aggregate_type == event.aggregate_type,
        earlier.aggregate_id == event.aggregate_id,
        earlier.version < event.version,
    )
    due = select(*columns_of(table)).where(event.published_at.is_(None), _is_due(table), ~has_earlier)
    return due.order_by(event.id).limit(MOST_AGGREGATES).with_for_update(skip_locked=True)


def _what_waits_behind(table: Table) -> Select[Any]:
    """What waits behind the `heads`, as far as one turn goes."""
    event, head = table.c, table.alias("head").c
    behind = and_(
        event.published_at.is_(None),
        event.aggregate_type == head.aggregate_type,
        event.aggregate_id == head.aggregate_id,
        event.version.between(head.version + 1, head.version + MOST_BEHIND_ONE),
    )
    heads = head.id.in_(bindparam("heads", expanding=True))
    return select(_is_due(table), *columns_of(table)).where(heads, behind).order_by(event.version)


def _is_due(table: Table) -> ColumnElement[bool]:
    event = table.c
    return ~event.dead & or_(
        event.next_attempt_at.is_(None), event.next_attempt_at <= bindparam("now", type_=UtcDateTime)
    )


def _may_pass(error: BaseException) -> bool:
    """Whether all that failed did so for a reason that goes away without anybody's doing."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_may_pass, error.exceptions))
    return isinstance(error, TransientError)


def reason(error: BaseException) -> str:
    """Why a delivery failed, for an operator."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(reason, error.exceptions))[:LONGEST_REASON]
    try:
        text = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    except Exception:
        text = f"{type(error).__name__}, which cannot be printed"
    return text.encode(errors="replace").decode().replace("\x00", "?")  # no database takes those
