"""`@transactional`: all changes of an attempt are stored, or none."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.core.cqrs.attempt import Attempt, attempt_here, current_attempt
from app.core.cqrs.errors import (
    CircularEventsError,
    ConfigurationError,
    CQRSError,
    HandlerTimeoutError,
    ServiceUnavailableError,
    TransientError,
)
from app.core.cqrs.events import EventRecord
from app.core.cqrs.operation import here, running
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal
from app.core.cqrs.ports import UnitOfWork
from app.core.cqrs.tasks import unhurt

LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")  # from the weakest
DEFAULT_LEVEL = "READ COMMITTED"  # what a handler without a level can rely on, with any database
ALWAYS_ROLLED_BACK = (HandlerTimeoutError, ServiceUnavailableError, ConfigurationError)
MOST_ROUNDS = 100  # of events, each raised by in-transaction reactions to the one before: an endless loop


@dataclass(frozen=True)
class Transactional(Policy):
    """Run the handler and every operation that it dispatches in one transaction.

    Args:
        isolation_level: READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE, ...; None: the database's default.
        rollback_on: None: any error rolls back. A list: these errors roll back; other domain errors commit, and then
            propagate. Cancellation, timeouts, database errors and failed results always roll back.
        commit_on_success: False: a dry run: all but the COMMIT is done, it is refused as it would be, and rolled back.
    """

    isolation_level: str | None = None
    rollback_on: Sequence[type[BaseException]] | None = None
    commit_on_success: bool = True
    needs_unit = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.isolation_level is not None:
            self._normalise(isolation_level=self.isolation_level.upper().replace("_", " "))
        if self.rollback_on is not None:
            self._normalise(rollback_on=tuple(self.rollback_on))

    def check(self, plan: Plan) -> None:
        """Refuse queries, and isolation levels that do not exist or that the database does not support."""
        if plan.kind is Kind.QUERY:
            raise refusal(plan, "@transactional is for commands and events: a query changes nothing.")
        level = self.isolation_level
        if level is not None and level not in LEVELS:
            raise refusal(plan, f"{level} is no isolation level; there are {', '.join(LEVELS)}.")
        if level is not None and plan.ports.units is not None:
            plan.ports.units.check(level)

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Open a unit of work for the outermost `@transactional` operation; nested ones join it."""
        units = plan.ports.units
        if units is None:
            return proceed

        async def in_transaction(message: Any) -> Any:
            attempt = attempt_here()
            assert attempt is not None, "the step around this one has made it"
            if attempt.unit is not None:
                self._require_fit(plan, attempt)
                return await proceed(message)
            unit = units.open(self.isolation_level)
            attempt.begin(unit, self.isolation_level)
            try:
                answer = await self._kept(plan, attempt, unit, proceed, message)
                if self.commit_on_success:
                    await commit(plan.bus, attempt, unit)
                    attempt.committed = (answer,)
                else:
                    await _record_events(plan.bus, attempt, unit)
                    await unit.rehearse()
                return answer
            finally:
                await unhurt(unit.close(), message, plan.ports.reports)

        return in_transaction

    async def _kept(self, plan: Plan, attempt: Attempt, unit: UnitOfWork, proceed: Step, message: Any) -> Any:
        """Run the rest of the pipeline; its errors propagate, some of them after a commit."""
        try:
            return await proceed(message)
        except Exception as error:
            if self.commit_on_success and self.commits_despite(error):
                await commit(plan.bus, attempt, unit)
            raise

    def commits_despite(self, error: Exception) -> bool:
        """Whether the work done before this error is committed."""
        if self.rollback_on is None or not isinstance(error, CQRSError) or error.must_roll_back:
            return False
        return not isinstance(error, (*self.rollback_on, *ALWAYS_ROLLED_BACK))

    def _require_fit(self, plan: Plan, attempt: Attempt) -> None:
        who, wanted, given = plan.handler_type.__name__, self.isolation_level, attempt.isolation_level or DEFAULT_LEVEL
        if wanted is not None and LEVELS.index(wanted) > LEVELS.index(given):
            raise ConfigurationError(
                f"{who} needs {wanted}, but was dispatched inside a transaction of {given}: give the outer handler "
                "the stronger level."
            )
        if not self.commit_on_success:
            raise ConfigurationError(
                f"{who} is a dry run, but was dispatched inside a transaction that is kept: dispatch it outside of one."
            )


transactional = Transactional


async def commit(bus: Any, attempt: Attempt, unit: UnitOfWork) -> None:
    """Run the in-transaction reactions, write the events to the event log, and commit the unit of work."""
    records = await _record_events(bus, attempt, unit)
    attempt.may_have_committed = True
    try:
        await unit.commit()
    except CQRSError as error:  # only a connection lost during the COMMIT leaves its outcome unknown
        is_lost = isinstance(error, ServiceUnavailableError) and not isinstance(error, TransientError)
        attempt.may_have_committed = is_lost
        raise
    attempt.stored = records


async def _record_events(bus: Any, attempt: Attempt, unit: UnitOfWork) -> list[EventRecord]:
    """Run the in-transaction reactions to every event of the unit, and to those that they raise; write all events."""
    metadata = here()._message.metadata
    records: list[EventRecord] = []
    for _ in range(MOST_ROUNDS):
        events = (*await unit.collect_events(), *attempt.take_published())
        if not events:
            if records:
                await unit.record(records)
            return records
        raised = [EventRecord(event, metadata) for event in events]
        _check_depth(raised[0], bus.event_max_steps)
        records += raised
        for record in raised:
            for react in bus.reactions.inside(type(record.event)).values():
                await react(record)
    raise ConfigurationError(
        f"In-transaction reactions raised events {MOST_ROUNDS} times over, last {records[-1].event.event_type}: "
        "they go round in circles. Let one of them react after the commit."
    )


def _check_depth(one: EventRecord, most: int) -> None:
    if one.metadata.depth >= most:
        raise CircularEventsError(
            f"{one.event_type} is the end of {most} events, each raised by a reaction to the one before: they go round "
            "in circles. Let one of the reactions see that there is nothing left to do, or raise EVENT_MAX_STEPS."
        )


@asynccontextmanager
async def savepoint() -> AsyncIterator[None]:
    """Run a part of a handler's transaction that may fail: an error that leaves the block rolls back that part only.

    Catch the error around the block to go on. On a bus without units of work there is nothing to roll back.

    Raises:
        ConfigurationError: if the handler has no `@transactional`, or no handler is running.
    """
    if (attempt := current_attempt()) is not None and attempt.unit is not None:
        async with attempt.unit.savepoint():
            yield
    elif (operation := running()) is None or operation._bus is None or operation._bus.ports.units is not None:
        raise ConfigurationError("savepoint() needs @transactional on the handler, and to be called in its own task.")
    else:
        yield
