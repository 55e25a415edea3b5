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
"""How many events may follow from each other, reaction by reaction, before that counts as going round in circles."""
_get_current = current.get


class CQRSBus(Registering):
    """Takes commands and queries to their one handler and events to all of theirs.

    It starts empty, and holds nothing that belongs to a message or to an event loop.

    Args:
        allow_handler_override: let a second handler of a message replace the first, instead of refusing it.
        scope: builds handlers with their dependencies; None: handlers have none.
        unit_of_work: opens transactions; None: there are none.
        cache: keeps the answers of cached queries; None: every look-up is a miss.
        access: knows what callers may do; None: nobody may do what needs a permission.
        clock: tells the time of operations; None: the system's.
        tracer: OpenTelemetry's; it makes a span of every command, query and reaction. None: there are none.
        reports: hears of what goes wrong where no answer tells it: while something is closed, and in the background.
            None: that is only logged.
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
        """Have a command done.

        Returns:
            The result, whatever happened; inside a handler a failure is raised instead.

        Raises:
            CommandHandlerNotFoundError: nobody handles it.
        """
        try:
            run = self._commands[type(command)]
        except KeyError:
            run = self._pipelines.compile(type(command), Kind.COMMAND)
        return run(command)

    @coroutine_function
    def execute_query(self, query: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]:
        """Have a query answered.

        Returns:
            The result, whatever happened; inside a handler a failure is raised instead.

        Raises:
            QueryHandlerNotFoundError: nobody handles it.
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
        """Execute a command or a query, whichever it is."""
        if isinstance(message, IQuery):
            return self.execute_query(message)
        return self.execute_command(message)

    async def publish_event(self, event: DomainEvent) -> None:
        """Tell everybody who listens that something happened.

        Inside a unit of work the event joins the event log, and is published when that is committed. Otherwise a
        bus that has units of work opens one for it; a bus without runs all handlers now, one after the other.

        Raises:
            ConfigurationError: a query, or a task that a handler with an open transaction started, publishes it.
            CQRSError: it could not be stored, or a reaction in its transaction failed.
            ExceptionGroup: of everything that handlers raised, when all have run.
            ConfigurationError: it is an event of another service.
        """
        require_own(event)
        outer = _get_current()
        if outer is not None and self._joins_log(event, outer):
            return
        if self.ports.units is not None:
            (await self._pipelines.publishing()(PublishEvent(event))).unwrap()
            return
        try:
            reactions = self._published[type(event)]
        except KeyError:
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
            del reactions  # and the lease with it: an error that somebody keeps has this frame
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
        work.published.append(RaisedEvent(event))
        return True

    # Beginning and end

    async def start(self) -> None:
        """Build the behaviours and compile every pipeline, so that what cannot work is refused now.

        Raises:
            PolicyError: something cannot work.
        """
        await self._middlewares.build(self.ports)
        self._pipelines.compile_all()

    def shutdown(self) -> None:
        """Take no more messages; what is running goes on, with what it dispatches."""
        self._pipelines.close()

    async def aclose(self) -> None:
        """Take no more messages, and wait for what is running and for the reactions to what was committed."""
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
        """Wait until every reaction to what was committed so far has run, or waits to be tried again."""
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

    # What the pipelines use

    async def commit(self, work: Work) -> None:
        """Commit the work of a command with the events it raised."""
        await commit(work, self._pipelines.inside.__getitem__, self.event_max_steps)

    def reactions_to(self, event_type: type[DomainEvent]) -> tuple[str, ...]:
        """The names of the after-commit handlers of an event, as `@event_handler(name=...)` gives them."""
        return tuple(self._pipelines.after[event_type])

    async def react(self, record: EventRecord, handler: str) -> None:
        """Let one after-commit handler handle an event; what it raises is raised.

        Args:
            record: the event.
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
        """Let all after-commit handlers handle an event, one after the other.

        Raises:
            ExceptionGroup: of everything that they raised, when all have run.
        """
        failures: list[Exception] = []
        for handler in self.reactions_to(type(record.event)):
            try:
                await self.react(record, handler)
            except Exception as error:
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{len(failures)} handlers of {record.event_type} failed.", failures)
