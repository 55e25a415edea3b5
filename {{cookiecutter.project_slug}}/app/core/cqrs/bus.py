"""The bus, which runs messages through the pipelines of their handlers, and the bus of the process."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Self, TypeVar, overload

from app.core.awaited import coroutine_function
from app.core.cqrs.attempt import attempt_of
from app.core.cqrs.dispatch import compile_dispatch, refuse_in_query, refuse_in_task
from app.core.cqrs.errors import CommandHandlerNotFoundError, QueryHandlerNotFoundError, ServiceUnavailableError
from app.core.cqrs.events import DomainEvent, RaisedEvent, require_own
from app.core.cqrs.messages import ICommand, IQuery
from app.core.cqrs.operation import Operation, current, is_elsewhere, is_in_progress
from app.core.cqrs.plan import Kind, Step, declared_handlers
from app.core.cqrs.ports import AccessPolicy, Cache, Clock, ErrorReports, Ports, Scope, Tracing, UnitsOfWork
from app.core.cqrs.reactions import Delivery, MemoryDelivery, PublishEvent, Reactions, publishing_plan
from app.core.cqrs.registry import Registry
from app.core.cqrs.results import CommandResult, OperationResult, QueryResult
from app.core.cqrs.tasks import as_one, cut_short

R = TypeVar("R")
_get_current = current.get


class CQRSBus(Registry):
    """Dispatches each command and query to its one handler, and each event to all of its handlers.

    It starts without handlers, and holds no state that belongs to a message or to an event loop.

    Args:
        allow_handler_override: True: a second handler of a command or query replaces the first; False: it is refused.
        scope: builds handlers with their dependencies; None: handler classes are called without arguments.
        unit_of_work: opens units of work; None: there are no transactions.
        cache: stores the answers of cached queries; None: every look-up is a miss.
        access: looks up the permissions of callers; None: operations that need a permission are refused.
        clock: provides the time of operations; None: the system clock.
        tracing: puts the pipeline of every command, query and reaction inside a span; None: no spans.
        reports: receives failures of closing and of background work, which no result contains; None: only the log.
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
        tracing: Tracing | None = None,
        reports: ErrorReports | None = None,
    ) -> None:
        super().__init__(allow_handler_override, Ports(scope, unit_of_work, cache, access, clock, tracing, reports))
        self.is_closed = False
        self.running = 0
        """The number of operations, publications and background tasks that are in progress."""
        self.event_max_steps = 100
        """Maximum length of a chain of events, each raised by a reaction to the one before; a longer one is a loop."""
        self.background_seconds = 5.0
        """How long `aclose` waits for background work; it begins after uvicorn has waited for requests."""
        self.reactions = Reactions(self.reactions_of)
        self.delivery: Delivery = MemoryDelivery(self.reactions.run_all)
        # Compiled pipelines: each is compiled at its first use, and again after a registration.
        self._commands: dict[type, Step] = {}
        self._queries: dict[type, Step] = {}
        self._published: dict[type, list[Step]] = {}
        self._publishing: Step | None = None

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
            run = self._compile(type(command), Kind.COMMAND)
        return run(command)

    @coroutine_function
    def execute_query(self, query: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]:
        """Execute a query, as `execute_command` does a command.

        Raises:
            QueryHandlerNotFoundError: if it has no handler; raised by the call, not by the await.
        """
        try:
            run = self._queries[type(query)]
        except KeyError:
            run = self._compile(type(query), Kind.QUERY)
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
        of one, a bus that has units of work opens one for the event; a bus without runs all handlers at once, in order.

        Raises:
            ConfigurationError: if it is an event of another service, if a query publishes it, or a task of a handler
                whose transaction is still open.
            CQRSError: if it cannot be stored, a reaction in its transaction fails, or the bus is shut down.
            ExceptionGroup: with the exceptions of all handlers that failed, after all handlers have run.
        """
        outer = _get_current()
        if outer is not None and self._joins_log(event, outer):
            return
        try:
            reactions = self._published[type(event)]
        except KeyError:
            require_own(event)
            if self.ports.units is not None:
                self._publishing = self._publishing or compile_dispatch(publishing_plan(self))
                (await self._publishing(PublishEvent(event))).unwrap()
                return
            reactions = self._compile_published(type(event))
        self.running += 1
        failures = None
        try:
            for react in reactions:
                try:
                    await react(event)
                except (Exception, asyncio.CancelledError) as error:
                    failures = [*(failures or ()), error if isinstance(error, Exception) else as_one(error)]
        finally:
            self.running -= 1
            opened = _get_current()
            if opened is not outer and opened is not None:
                opened._close()
        if failures is not None:
            raise ExceptionGroup(f"{len(failures)} handlers of {event.event_type} failed.", failures)

    def _joins_log(self, event: DomainEvent, outer: Operation) -> bool:
        """Whether the event became part of the event log of the unit of work that the caller is in."""
        if is_elsewhere(self, outer):
            return False
        if not outer._is_running_here():
            refuse_in_task(outer, f"published {event.event_type}")
            return False
        refuse_in_query(outer, f"published {event.event_type}")
        attempt = attempt_of(outer)
        if attempt is None or attempt.unit is None:
            return False
        require_own(event)
        attempt.published.append(RaisedEvent(event))
        return True

    async def start(self) -> None:
        """Build the behaviours and compile every pipeline, so that wrong configuration is refused at the start.

        Raises:
            PolicyError: if a registered handler, message or behaviour cannot work.
        """
        await self._middlewares.build(self.ports)
        self.forget()
        self.check_names()
        for message_type, plan in self._answering.items():
            self._compile(message_type, plan.kind)

    def shutdown(self) -> None:
        """Refuse new messages; running operations go on, with the messages that they dispatch."""
        self.is_closed = True
        self.forget()

    async def aclose(self) -> None:
        """Shut down, then wait for running operations, background work, and the delivery of committed events.

        Background work that takes longer than `background_seconds`, counted from here or from its start, is cancelled.
        """
        self.shutdown()
        began = monotonic()
        while self.running:  # operations may run in other threads, which cannot set an event here
            if (long_ago := monotonic() - self.background_seconds) >= began:
                cut_short(self, long_ago)
            await asyncio.sleep(0.005)
        await self.delivery.finish()

    async def settled(self) -> None:
        """Wait until every reaction to the events committed so far has run, or waits for a retry."""
        await self.delivery.idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def forget(self) -> None:
        """Discard all compiled pipelines; each is compiled again at its next use."""
        for compiled in (self._commands, self._queries, self._published):
            compiled.clear()
        self._publishing = None
        self.reactions.forget()

    def _compile(self, message_type: type, kind: Kind) -> Step:
        plan = self._answering.get(message_type)
        if plan is None or plan.kind is not kind:
            error = CommandHandlerNotFoundError if kind is Kind.COMMAND else QueryHandlerNotFoundError
            name, decorator = message_type.__name__, f"@{kind.value}_handler"
            raise error(
                f"Nobody handles {name} as a {kind.value}: declare a handler with {decorator}({name}) in a module "
                "under app/handlers, or register one on this bus."
            )
        run = compile_dispatch(self._with_middleware(plan))
        (self._commands if kind is Kind.COMMAND else self._queries)[message_type] = run
        return run

    def _compile_published(self, event_type: type) -> list[Step]:
        """Compile all reactions to an event outside of a unit of work."""
        if self.is_closed and not is_in_progress(self, _get_current()):
            raise ServiceUnavailableError("The bus takes no more events: it is shut down.")
        runs = [self.reactions.direct(plan) for plan in self.reactions_of(event_type)]
        if not self.is_closed:
            self._published[event_type] = runs
        return runs


_bus: CQRSBus | None = None
_lent: list[CQRSBus] = []


def get_cqrs_bus() -> CQRSBus:
    """The bus of this process, created on first use. Usable as a FastAPI dependency."""
    return _bus if _bus is not None else initialize_cqrs_bus()


def initialize_cqrs_bus(allow_handler_override: bool = False) -> CQRSBus:
    """Create a new bus for this process, and register all handlers that decorators have declared for it so far."""
    bus = CQRSBus(allow_handler_override)
    for handler in declared_handlers:
        bus.register(handler)
    return use_cqrs_bus(bus)


def use_cqrs_bus(bus: CQRSBus) -> CQRSBus:
    """Make this bus the bus of the process, and shut down the one that it replaces."""
    global _bus
    if _bus is not None and _bus is not bus:
        _bus.shutdown()
    _bus = bus
    return bus


@contextmanager
def lent_cqrs_bus(bus: CQRSBus) -> Iterator[None]:
    """Make the bus of a service, which shuts it down, the bus of the process while it runs; the latest one wins."""
    global _bus
    _lent.append(bus)
    _bus = bus
    try:
        yield
    finally:
        _lent.remove(bus)
        if _bus is bus:
            _bus = _lent[-1] if _lent else None


def shutdown_cqrs_bus() -> None:
    """Shut down the bus of this process: it takes no more messages, and the next use creates a new one."""
    global _bus
    if _bus is not None:
        _bus.shutdown()
    _bus = None
