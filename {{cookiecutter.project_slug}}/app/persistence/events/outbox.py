"""The outbox: which events wait for which handlers, which process has claimed them, and the outcome of each.

Handing out an event inserts a row into `reactions` for each of its handlers, which then proceed independently. A
handler processes the events of an aggregate in order, so only the first of them, the head of the stream, is ever due.
A process claims a due reaction with a lease, which expires unless the process renews it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.cqrs import ErrorReports
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import at_once
from app.persistence.event_tables import reactions
from app.persistence.events.fan_out import FanOut
from app.persistence.events.outbox_statements import (
    CHANGE,
    END,
    NO_LOCK,
    SHARED_LOCK,
    Handlers,
    due,
    events_of,
    lease,
    logged,
    promote,
    writing,
)
from app.persistence.events.reaction import Claimed, Outcome, Retries, reason

LEASE_SECONDS = 10.0
"""Duration of a lease: when a process stops renewing it, other processes may claim the event after this time."""

logger = structlog.get_logger(__name__)


class Outbox:
    """The outbox of one service, as one process uses it.

    Args:
        database: holds the outbox.
        handlers: returns the names of the handlers of each event; see `FanOut`.
        public: the types of the events that are published to other services.
        max_attempts, retry_seconds: see `Retries`.
        reports: receives the errors of dead letters.
    """

    def __init__(
        self,
        database: Database,
        handlers: Callable[[], Handlers],
        *,
        public: Iterable[str] = (),
        max_attempts: int,
        retry_seconds: float,
        reports: ErrorReports | None = None,
    ) -> None:
        self._database = database
        self._fan_out = FanOut(database, handlers)
        self._worker = uuid4().hex
        self._logged = logged(list(public))
        self._retries = Retries(max_attempts, retry_seconds)
        self._reports = reports

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the handlers that this process has."""
        return self._fan_out.names

    async def hand_out(self) -> bool:
        """Insert a reaction for each handler of each new event. Returns whether there may be more new events."""
        return await self._fan_out.hand_out()

    async def turn(self, outcomes: Sequence[Outcome], free: Mapping[str, int]) -> list[Claimed]:
        """Store outcomes and claim due events, in one transaction.

        Args:
            outcomes: the outcomes of claimed events.
            free: handler -> how many more events to claim for it.

        Returns:
            The claimed events: no other process gets them until the lease expires.
        """
        if not outcomes and not await self._may_claim(free):
            return []
        begin = SHARED_LOCK if any(outcome.is_done for outcome in outcomes) else NO_LOCK
        async with writing(self._database, begin) as (connection, now):
            await self._store(connection, outcomes, now)
            claimed = await self._claim(connection, free, now)
        self._tell_dead(outcomes)
        return claimed

    async def renew(self) -> None:
        """Renew the leases of all events that this process has claimed."""
        async with writing(self._database) as (connection, now):
            until = now + timedelta(seconds=LEASE_SECONDS)
            await connection.execute(
                update(reactions).where(reactions.c.claimed_by == self._worker).values(due_at=until)
            )

    async def give_back(self) -> None:
        """Release all claims of this process, so that other processes may claim the events at once."""
        async with writing(self._database) as (connection, now):
            mine = update(reactions).where(reactions.c.claimed_by == self._worker)
            await connection.execute(mine.values(due_at=at_once(now), claimed_by=None))

    async def _claim(self, connection: AsyncConnection, free: Mapping[str, int], now: datetime) -> list[Claimed]:
        until = now + timedelta(seconds=LEASE_SECONDS)
        told = {"now": now, "by": self._worker, "until": until, **self._limits(free)}
        rows = (await connection.execute(lease(self.names), told)).all()
        if not rows:
            return []
        events = await events_of(connection, rows, self._logged)
        # In the order in which the events happened, as far as their ids are ordered by time (UUIDv7).
        return [
            Claimed(event, row.source, row.handler, row.attempts, previous)
            for row in sorted(rows, key=itemgetter(0))
            for event, previous in [events[row.event_id]]
        ]

    async def _store(self, connection: AsyncConnection, outcomes: Sequence[Outcome], now: datetime) -> None:
        done = [one.claimed for one in outcomes if one.is_done]
        if done:
            await connection.execute(END, [self._mine(claimed) for claimed in done])
            await promote(connection, {claimed.stream for claimed in done}, now)
        free = {"due_at": at_once(now), "claimed_by": None}
        given_back = [self._mine(one.claimed) | free for one in outcomes if one.is_given_back]
        if given_back:
            await connection.execute(CHANGE, given_back)
        failed = [self._failure(one.claimed, one.error, now) for one in outcomes if one.error is not None]
        if failed:
            await connection.execute(CHANGE, failed)

    def _mine(self, claimed: Claimed) -> dict[str, Any]:
        """Parameters that select the claimed row, provided that this process still holds the claim."""
        return {"id": claimed.event.id, "by": claimed.handler, "me": self._worker}

    def _failure(self, claimed: Claimed, error: Exception, now: datetime) -> dict[str, Any]:
        attempts, dead = claimed.attempts + 1, self._retries.is_dead(claimed, error)
        return {
            **self._mine(claimed),
            "attempts": attempts,
            "last_error": reason(error),
            "due_at": None if dead else now + timedelta(seconds=self._retries.backoff(attempts)),
            "dead": dead,
            "claimed_by": None,
        }

    def _tell_dead(self, outcomes: Iterable[Outcome]) -> None:
        """Log and report new dead letters: they wait for an operator, who has to learn of them."""
        for outcome in outcomes:
            claimed, error = outcome.claimed, outcome.error
            if error is None or not self._retries.is_dead(claimed, error):
                continue
            logger.error("event_dead", **claimed.failure(), error_type=type(error).__name__)
            if self._reports is not None:
                self._reports.report(error, claimed.event.event_type, claimed.event.operation())

    def _limits(self, free: Mapping[str, int]) -> dict[str, int]:
        return {f"free_{number}": max(0, free.get(name, 0)) for number, name in enumerate(self.names)}

    async def _may_claim(self, free: Mapping[str, int]) -> bool:
        """Whether to begin a writing transaction: on SQLite, which has one writer, only if an event is due."""
        limits = self._limits(free)
        if not self._database.is_sqlite or not any(limits.values()):
            return any(limits.values())
        async with self._database.relaying_engine.connect() as connection:
            return (await connection.execute(due(self.names), {"now": datetime.now(UTC), **limits})).first() is not None
