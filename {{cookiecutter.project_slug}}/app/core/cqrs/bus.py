"""The bus: it runs messages through the pipelines of their handlers."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from app.core.cqrs.aggregate import EventRecord, RaisedEvent, require_own
from app.core.cqrs.awaited import coroutine_function
from app.core.cqrs.dispatch import Dispatch, Lease, current
from app.core.cqrs.events import Delivery, MemoryDelivery, commit
from app.core.cqrs.groups import as_one
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery
from app.core.cqrs.plan import Kind
from app.core.cqrs.ports import AccessPolicy, Cache, Clock, ErrorReports, Ports, Scope, Tracer, UnitsOfWork
from app.core.cqrs.publishing import PublishEvent
from app.core.cqrs.registering import Registering
from app.core.cqrs.results import CommandResult, OperationResult, QueryResult
from app.core.cqrs.work import Work, refuse_in_query, refuse_in_task, work_of

R = TypeVar("R")
Run = Callable[[Any], Coroutine[Any, Any, Any]]
EVENT_MAX_STEPS = 100
"""Maximum length of a chain of events, each raised by a reaction to the one before; a longer one counts as a loop."""
_get_current = current.get


class CQRSBus(Registering):
    """Dispatches each command and query to its one handler, and each event to all of its handlers.

    It starts without handlers, and holds no state that belongs to a message or to an event loop.

    Args:
        allow_handler_override: True: a second handler of a command or query replaces the first; False: it is refused.
        scope: builds handlers with their dependencies; None: handler classes are called without arguments.
        unit_of_work: opens units of work; None: there are no transactions.
        cache: stores the answers of cached queries; None: every look-up is a miss.
        access: looks up the permissions of callers; None: operations that need a permission are refused.
        clock: provides the time of operations; None: the system clock.
        tracer: an OpenTelemetry tracer, for a span of every command, query and reaction; None: no spans.
        reports: receives failures that no result contains: while something is closed, and in background work.
            None: they are only logged.
    """

    def __init__(
        self,
        allow_handler_override: bool = False,
        *,
        scope: Scope | None = None,
        unit_of_work: UnitsOfWork | None = None,
        cache: Cache | None = None,
        access: AccessPolicy | None = None,
        clock: Clock | None = None,
        tracer: Tracer | None = None,
        reports: ErrorReports | None = None,
    ) -> None:
        super().__init__(allow_handler_override, Ports(scope, unit_of_work, cache, access, clock, tracer, reports))
        self.lease: Lease | None = Lease(self)
        self._lease_held = weakref.ref(self.lease)
        self._commands, self._queries = self._pipelines.commands, self._pipelines.queries
        self._published = self._pipelines.published
        self.event_max_steps = EVENT_MAX_STEPS
        self.delivery: Delivery = MemoryDelivery(self.react_all)

    # Sending messages

    @coroutine_function
    def execute_command(self, command: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]:
        """Execute a command.

        Returns:
            The result, whether the command succeeded or failed; inside a handler, a failure is raised instead.

        Raises:
            CommandHandlerNotFoundError: if it has no handler; raised by the call, not by the await.
        """
        try:
            run = self._commands[type(command)]
        except KeyError:
            run = self._pipelines.compile(type(command), Kind.COMMAND)
        return run(command)

    @coroutine_function
    def execute_query(self, query: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]:
        """Execute a query.

        Returns:
            The result, whether the query succeeded or failed; inside a handler, a failure is raised instead.

        Raises:
            QueryHandlerNotFoundError: if it has no handler; raised by the call, not by the await.
        """
        try:
            run = self._queries[type(query)]
        except KeyError:
            run = self._pipelines.compile(type(query), Kind.QUERY)
        return run(query)

    @overload
    def execute(self, message: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]: ...
    @overload
    def execute(self, message: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]: ...
    @coroutine_function
    def execute(self, message: ICommand[Any] | IQuery[Any]) -> Coroutine[Any, Any, OperationResult[Any]]:
        """Execute a command or a query; returns and raises as `execute_command` or `execute_query` does."""
        if isinstance(message, IQuery):
            return self.execute_query(message)
        return self.execute_command(message)

    async def publish_event(self, event: DomainEvent) -> None:
        """Publish an event to all of its handlers.

        Inside a unit of work, the event becomes part of the event log and is published when the unit commits. Outside
        of one, a bus that has units of work opens one for the event. A bus without units of work runs all handlers
        immediately, one after the other.

        Raises:
            ConfigurationError: if a query publishes it, or a task of a handler whose transaction is still open.
            CQRSError: if it cannot be stored, a reaction in its transaction fails, or the bus is shut down.
            ExceptionGroup: with the exceptions of all handlers that failed, after all handlers have run.
            ConfigurationError: if it is an event of another service.
        """
        outer = _get_current()
        if outer is not None and self._joins_log(event, outer):
            return
        try:
            reactions = self._published[type(event)]
        except KeyError:
            require_own(event)
            if self.ports.units is not None:
                (await self._pipelines.publishing()(PublishEvent(event))).unwrap()
                return
            reactions = self._pipelines.compile_published(type(event))
        failures = None
        try:
            for react in reactions:
                try:
                    await react(event)
                except Exception as error:
                    failures = [*(failures or ()), error]
                except asyncio.CancelledError as error:
                    failures = [*(failures or ()), as_one(error)]
        finally:
            del reactions  # releases the lease: an error that outlives this call would hold it by this frame
            opened = _get_current()
            if opened is not outer and opened is not None:
                opened._close()
        if failures is not None:
            raise ExceptionGroup(f"{len(failures)} handlers of {event.event_type} failed.", failures)

    def _joins_log(self, event: DomainEvent, outer: Dispatch) -> bool:
        if not outer._is_running_here():
            refuse_in_task(outer, f"published {event.event_type}")
            return False
        refuse_in_query(outer, f"published {event.event_type}")
        work = work_of(outer)
        if work is None or work.unit is None:
            return False
        require_own(event)
        work.published.append(RaisedEvent(event))
        return True

    # Start and shutdown

    async def start(self) -> None:
        """Build the behaviours and compile every pipeline, so that wrong configuration is refused at the start.

        Raises:
            PolicyError: if a registered handler, message or behaviour cannot work.
        """
        await self._middlewares.build(self.ports)
        self._pipelines.compile_all()

    def shutdown(self) -> None:
        """Refuse new messages; running operations go on, with the messages that they dispatch."""
        self._pipelines.close()

    async def aclose(self) -> None:
        """Shut down, then wait for running operations, background work, and the delivery of committed events."""
        self.shutdown()
        lease, self.lease = self._lease_held(), None
        if lease is not None:
            loop, idle = asyncio.get_running_loop(), asyncio.Event()
            returned = weakref.finalize(lease, loop.call_soon_threadsafe, idle.set)
            del lease
            try:
                await idle.wait()
            finally:
                returned.detach()
        await self.delivery.finish()

    async def settled(self) -> None:
        """Wait until every reaction to the events committed so far has run, or waits for a retry."""
        await self.delivery.idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    # Used by the pipelines

    async def commit(self, work: Work) -> None:
        """Commit the work of an operation together with the events it raised."""
        await commit(work, self._pipelines.inside.__getitem__, self.event_max_steps)

    def reactions_to(self, event_type: type[DomainEvent]) -> tuple[str, ...]:
        """The names of the after-commit handlers of an event: that of `@event_handler(name=...)`, or the class name."""
        return tuple(self._pipelines.after[event_type])

    async def react(self, record: EventRecord, handler: str) -> None:
        """Run one after-commit handler for an event.

        Its exceptions propagate; the cancellation of something that it awaited becomes a RuntimeError.

        Args:
            record: the event, with its metadata.
            handler: the name of the handler, one of `reactions_to`.
        """
        try:
            await self._pipelines.after[type(record.event)][handler](record)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError(f"{handler} awaited something that was cancelled.") from error

    async def react_all(self, record: EventRecord) -> None:
        """Run all after-commit handlers of an event, one after the other.

        Raises:
            ExceptionGroup: with the exceptions of all handlers that failed, after all handlers have run.
        """
        failures: list[Exception] = []
        for handler in self.reactions_to(type(record.event)):
            try:
                await self.react(record, handler)
            except Exception as error:
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{len(failures)} handlers of {record.event_type} failed.", failures)
