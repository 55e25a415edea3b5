"""One attempt of an operation: its state, its scope, and what follows its commit."""

import asyncio
from asyncio import Task, current_task
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog

from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.events import EventRecord, RaisedEvent
from app.core.cqrs.operation import Operation, here, running
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.ports import Resolver, Scope, UnitOfWork
from app.core.cqrs.tasks import STANDING_FOR_OTHERS, as_one, tell_of

LONGEST_INVALIDATION_SECONDS = 5.0
"""How long a command waits for a cache that hangs; the invalidation then continues in the background."""

logger = structlog.get_logger(__name__)


class Attempt:
    """What one attempt of an operation shares with everything that it dispatches; each attempt has its own instance."""

    resolver: Resolver | None = None
    unit: UnitOfWork | None = None
    isolation_level: str | None = None
    may_have_committed = False
    committed: tuple[Any] | None = None
    """The answer of a committed transaction, in a tuple; only closing is left to do."""
    reads_snapshot = False
    """Whether its reads come from a snapshot: the data may have been changed since."""
    _task: Task[Any] | None = None

    def __init__(self) -> None:
        self.published: list[RaisedEvent] = []
        self.stored: list[EventRecord] = []
        self.stale_tags: set[str] = set()

    def begin(self, unit: UnitOfWork, isolation_level: str | None) -> None:
        """Attach a unit of work, which the calling task then owns."""
        self.unit, self.isolation_level, self._task = unit, isolation_level, current_task()

    def join(self, name: str) -> None:
        """Raise a ConfigurationError if another task owns the unit of work: a connection does one thing at a time."""
        if self._task is not None and self._task is not current_task():
            raise ConfigurationError(
                f"{name} was dispatched while another task is working in the same unit of work. "
                "Dispatch one after the other, or start tasks of their own, which have units of work of their own."
            )

    def take_published(self) -> list[RaisedEvent]:
        """Remove and return the events that handlers published since the last call."""
        published, self.published = self.published, []
        return published


def attempt_of(operation: Operation) -> Attempt | None:
    """The attempt of an operation; None if it has none yet."""
    return getattr(operation, "_attempt", None)


def attempt_here() -> Attempt | None:
    """The attempt that a pipeline step works in; None if the operation has none yet."""
    return attempt_of(here())


def current_attempt() -> Attempt | None:
    """The attempt of the operation that the calling task is in, if any."""
    operation = running()
    return None if operation is None else attempt_of(operation)


def attempt(plan: Plan, proceed: Step) -> Step:
    """Give each attempt a new `Attempt`. A nested dispatch joins the attempt of the outer operation where possible."""
    if not plan.needs_attempt:
        return proceed
    scope = plan.ports.scope if plan.is_class else None
    nested = plan.nested

    async def in_attempt(message: Any) -> Any:
        operation = here()
        outer = attempt_of(operation) if nested else None
        if outer is not None and _may_join(plan, scope, outer):
            return await _joining(plan, scope, outer, proceed, message)
        own = operation._attempt = Attempt()
        try:
            answer = await (proceed(message) if scope is None else _in_scope(scope(), own, proceed, message, plan))
            if own.unit is None:
                own.may_have_committed = True
            return answer
        except Exception as error:
            if own.may_have_committed:
                error.is_final = True  # type: ignore[attr-defined]  # a retry could do the work twice
            raise

    return in_attempt


def _may_join(plan: Plan, scope: Scope | None, outer: Attempt) -> bool:
    return outer.unit is not None or ((outer.resolver is not None or scope is None) and not plan.opens_unit)


async def _joining(plan: Plan, scope: Scope | None, outer: Attempt, proceed: Step, message: Any) -> Any:
    """Run the rest of the pipeline in the attempt of the outer operation."""
    outer.join(plan.message_type.__name__)
    async with outer.unit.reading() if plan.kind is Kind.QUERY and outer.unit else nullcontext():
        if scope is None or outer.resolver is not None:
            return await proceed(message)
        try:
            return await _in_scope(scope(), outer, proceed, message, plan)
        finally:
            outer.resolver = None


async def _in_scope(
    opened: AbstractAsyncContextManager[Resolver], own: Attempt, proceed: Step, message: Any, plan: Plan
) -> Any:
    """Run the rest of the pipeline in an open scope, which builds the handler and its dependencies, and close it."""
    own.resolver = await opened.__aenter__()
    try:
        answer = await proceed(message)
    except BaseException as error:
        await _close(opened, error, own, message, plan)
        raise
    await _close(opened, None, own, message, plan)
    return answer


async def _close(
    opened: AbstractAsyncContextManager[Resolver], failed: BaseException | None, own: Attempt, message: Any, plan: Plan
) -> None:
    """Close the scope. Its failure leaves the outcome as it is, unless it refuses changes outside of a transaction."""
    try:
        where = None if failed is None else failed.__traceback__  # contextlib overwrites __traceback__ with this
        await opened.__aexit__(None if failed is None else type(failed), failed, where)
    except (Exception, *STANDING_FOR_OTHERS) as error:
        one = as_one(error)
        if failed is None and own.unit is None and isinstance(one, ConfigurationError):
            raise
        tell_of("closing_failed", one, message, plan.ports.reports)


def after_commit(plan: Plan, proceed: Step) -> Step:
    """Invalidate cache tags and deliver events, outside of the deadline: committed work can no longer be late."""
    if not plan.needs_attempt:
        return proceed
    nested = plan.nested

    async def follow(message: Any) -> Any:
        operation = here()
        outer = attempt_of(operation) if nested else None
        try:
            return await proceed(message)
        finally:
            last = attempt_of(operation)
            if last is not None and last is not outer:
                operation._attempt = outer
                has_changes = last.may_have_committed or last.unit is None
                if has_changes and (last.stored or last.stale_tags):
                    await _follow_up(last, plan)

    return follow


async def _follow_up(committed: Attempt, plan: Plan) -> None:
    """Invalidate and deliver; a failure of the cache never fails committed work."""
    tags = committed.stale_tags
    try:
        if tags and plan.ports.cache is not None:
            async with asyncio.timeout(LONGEST_INVALIDATION_SECONDS):
                await asyncio.shield(plan.ports.cache.invalidate(tags))
    except (Exception, *STANDING_FOR_OTHERS) as error:
        logger.error("cache_invalidation_failed", tags=sorted(tags), exc_info=as_one(error))
    finally:
        plan.bus.delivery.add(committed.stored)
