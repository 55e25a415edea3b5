"""The bus: it knows the handlers, compiles their pipelines, and runs messages through them."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import structlog
from pydantic_core import to_jsonable_python

from app.core.cqrs.aggregate import EventRecord, RaisedEvent
from app.core.cqrs.dispatch import Dispatch, Lease, current, running
from app.core.cqrs.errors import CommandHandlerNotFoundError, QueryHandlerNotFoundError, ServiceUnavailableError
from app.core.cqrs.events import Delivery, Reaction, commit, compile_reaction
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery
from app.core.cqrs.pipeline import compile_dispatch, compile_steps
from app.core.cqrs.plan import Kind
from app.core.cqrs.ports import AccessPolicy, Cache, Clock, Ports, Scope, UnitsOfWork
from app.core.cqrs.registrations import Handlers, Middlewares, Registered, class_of
from app.core.cqrs.registry import declarations_of
from app.core.cqrs.results import CommandResult, OperationResult, Outcome, QueryResult
from app.core.cqrs.status import OperationStatus
from app.core.cqrs.work import Work, work_of

R = TypeVar("R")
Run = Callable[[Any], Coroutine[Any, Any, Any]]
REACTION_TIMEOUT_SECONDS = 30.0
logger = structlog.get_logger(__name__)
_get_current = current.get


class Compiled(dict[type, Any]):
    """Message type -> what runs it, compiled when it is first asked for."""

    def __init__(self, compile_for: Callable[[type], Any]) -> None:
        self._compile_for = compile_for

    def __missing__(self, message_type: type) -> Any:
        compiled = self[message_type] = self._compile_for(message_type)
        return compiled


class CQRSBus:
    """Takes commands and queries to their one handler and events to all of theirs.

    It starts empty, and holds nothing that belongs to a message or to an event loop.

    Args:
        allow_handler_override: let a second handler of a message replace the first, instead of refusing it.
        scope: builds handlers with their dependencies; None: handlers have none.
        unit_of_work: opens transactions; None: there are none.
        cache: keeps the answers of cached queries; None: every look-up is a miss.
        access: knows what callers may do; None: nobody may do what needs a permission.
        clock: tells the time of operations; None: the system's.
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
    ) -> None:
        self.ports = Ports(scope, unit_of_work, cache, access, clock)
        self.lease: Lease | None = Lease(self)
        self._handlers = Handlers(allow_handler_override)
        self._middlewares = Middlewares()
        self._delivery = Delivery(self._deliver_one)
        self._closed = False
        self._forget_compiled()

    # Sending messages

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
            run = self._compile(type(command), Kind.COMMAND)
        return run(command)

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
            run = self._compile(type(query), Kind.QUERY)
        return run(query)

    @overload
    def execute(self, message: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]: ...
    @overload
    def execute(self, message: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]: ...
    def execute(self, message: ICommand[Any] | IQuery[Any]) -> Coroutine[Any, Any, OperationResult[Any]]:
        """Execute a command or a query, whichever it is."""
        if isinstance(message, IQuery):
            return self.execute_query(message)
        return self.execute_command(message)

    async def publish_event(self, event: DomainEvent) -> None:
        """Tell everybody who listens that something happened.

        Inside a unit of work the event joins the event log, and is published when that is committed. Otherwise
        all handlers run now, one after the other.

        Raises:
            ExceptionGroup: of everything that handlers raised, when all have run.
        """
        outer = _get_current()
        if outer is not None and self._joins_log(event, outer):
            return
        try:
            reactions = self._reactions_now[type(event)]
        except KeyError:
            reactions = self._compile_publication(type(event))
        failures = None
        try:
            for react in reactions:
                try:
                    await react(event)
                except Exception as error:
                    failures = [*(failures or ()), error]
        finally:
            opened = _get_current()
            if opened is not outer and opened is not None:
                opened._close()
        if failures is not None:
            raise ExceptionGroup(f"{len(failures)} handlers of {event.event_type} failed.", failures)

    def _joins_log(self, event: DomainEvent, outer: Dispatch) -> bool:
        work = work_of(outer)
        if work is None or work.unit is None or not outer._is_running_here():
            return False
        work.published.append(RaisedEvent(event))
        return True

    # Registering handlers

    def register(self, handler: type) -> None:
        """Register a handler for everything its decorators declared.

        Raises:
            DuplicateHandlerError: one of its messages has a handler.
            PolicyError: a policy on it cannot work.
        """
        for declaration in declarations_of(handler):
            if declaration.auto_register:
                self._register(declaration.kind, declaration.message_type, handler)

    def register_command_handler(self, command_type: type, handler: Any) -> None:
        """Register a handler, as a class that is built anew for each attempt, or as an instance used as it is."""
        self._register(Kind.COMMAND, command_type, handler)

    def register_command_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several: command type -> handler."""
        for command_type, handler in handlers.items():
            self.register_command_handler(command_type, handler)

    def register_query_handler(self, query_type: type, handler: Any) -> None:
        """Register a handler, as a class that is built anew for each attempt, or as an instance used as it is."""
        self._register(Kind.QUERY, query_type, handler)

    def register_query_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several: query type -> handler."""
        for query_type, handler in handlers.items():
            self.register_query_handler(query_type, handler)

    def register_event_handler(self, event_type: type, handler: Any) -> None:
        """Register one more handler of an event and its subclasses."""
        self._register(Kind.EVENT, event_type, handler)

    def register_event_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several: event type -> handler, or a list of them."""
        for event_type, given in handlers.items():
            for handler in given if isinstance(given, (list, tuple)) else (given,):
                self.register_event_handler(event_type, handler)

    def add_middleware(self, middleware: Any) -> None:
        """Put a middleware around all commands and queries, inside of those added before."""
        self._add_middleware((Kind.COMMAND, Kind.QUERY), middleware)

    def add_command_middleware(self, middleware: Any) -> None:
        """Put a middleware around all commands, inside of those added before."""
        self._add_middleware((Kind.COMMAND,), middleware)

    def add_query_middleware(self, middleware: Any) -> None:
        """Put a middleware around all queries, inside of those added before."""
        self._add_middleware((Kind.QUERY,), middleware)

    def _add_middleware(self, kinds: tuple[Kind, ...], middleware: Any) -> None:
        self._middlewares.add(kinds, middleware)
        self._forget_compiled()

    def _register(self, kind: Kind, message_type: type, handler: Any) -> None:
        registered = Registered.checked(kind, message_type, handler)
        plan = registered.plan(self.ports, self)
        for policy in plan.policies.values():
            policy.check(plan)
        self._handlers.add(registered)
        if kind is Kind.EVENT and not isinstance(handler, type):
            handler.registered_on = self
        self._forget_compiled()

    # Looking inside

    def get_registered_handlers(self) -> dict[str, dict[type, Any]]:
        """Message type -> handler class, for `commands` and `queries`; for `events`, a list of them."""
        events: dict[type, list[type]] = {}
        for registered in self._handlers.reacting:
            events.setdefault(registered.declaration.message_type, []).append(class_of(registered.handler))
        return {
            "commands": {t: class_of(found.handler) for t, found in self._handlers.of_kind(Kind.COMMAND).items()},
            "queries": {t: class_of(found.handler) for t, found in self._handlers.of_kind(Kind.QUERY).items()},
            "events": dict(events),
        }

    def get_handler_count(self) -> dict[str, int]:
        """How many handlers there are: `commands`, `queries`, `events` and `total`."""
        commands, queries = (len(self._handlers.of_kind(kind)) for kind in (Kind.COMMAND, Kind.QUERY))
        events = len(self._handlers.reacting)
        return {"commands": commands, "queries": queries, "events": events, "total": commands + queries + events}

    def describe(self) -> dict[str, Any]:
        """The whole bus as plain data: per message its handler, policies and steps; per event its reactions."""
        answering = {Kind.COMMAND: {}, Kind.QUERY: {}}  # type: dict[Kind, dict[str, Any]]
        for message_type, found in self._handlers.answering.items():
            plan = found.plan(self.ports, self, self._around(found))
            answering[found.declaration.kind][message_type.__name__] = {
                "handler": found.name,
                "timeout_seconds": found.declaration.timeout_seconds,
                "policies": {type(policy).__name__: _plain(policy) for policy in plan.policies.values()},
                "steps": compile_steps(plan)[1],
            }
        reactions: dict[str, Any] = {}
        for found in self._handlers.reacting:
            event = reactions.setdefault(found.declaration.message_type.__name__, [])
            event.append({"handler": found.name, "in_transaction": found.declaration.in_transaction})
        return {"commands": answering[Kind.COMMAND], "queries": answering[Kind.QUERY], "events": reactions}

    # Beginning and end

    async def start(self) -> None:
        """Build the behaviours and compile every pipeline, so that what cannot work is refused now.

        Raises:
            PolicyError: something cannot work.
        """
        await self._middlewares.build(self.ports)
        self._forget_compiled()
        for message_type, found in self._handlers.answering.items():
            self._compile(message_type, found.declaration.kind)

    def shutdown(self) -> None:
        """Take no more messages; what is running goes on, with what it dispatches."""
        self._closed = True
        self._forget_compiled()

    async def aclose(self) -> None:
        """Take no more messages, and wait for what is running and for the reactions to what was committed."""
        self.shutdown()
        if self.lease is not None:
            loop, idle = asyncio.get_running_loop(), asyncio.Event()
            weakref.finalize(self.lease, loop.call_soon_threadsafe, idle.set)
            self.lease = None
            await idle.wait()
        await self.settled()

    async def settled(self) -> None:
        """Wait until every reaction to what was committed so far has run."""
        await self._delivery.idle()

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
        await commit(work, self._reactions_inside.__getitem__)

    def deliver(self, records: list[EventRecord]) -> None:
        """Let after-commit reactions to these events run, behind the back of the caller."""
        self._delivery.add([record for record in records if self._reactions_after[type(record.event)]])

    async def _deliver_one(self, record: EventRecord) -> None:
        for react in self._reactions_after[type(record.event)]:
            try:
                async with asyncio.timeout(REACTION_TIMEOUT_SECONDS):
                    await react(record)
            except Exception:
                logger.exception("reaction_failed", event_type=record.event.event_type, event_id=record.event.event_id)

    # Compiling

    def _forget_compiled(self) -> None:
        self._commands: dict[type, Run] = {}
        self._queries: dict[type, Run] = {}
        self._reactions_now: dict[type, list[Run]] = {}
        self._reactions_inside = Compiled(lambda event_type: self._compile_reactions(event_type, True))
        self._reactions_after = Compiled(lambda event_type: self._compile_reactions(event_type, False))

    def _compile(self, message_type: type, kind: Kind) -> Run:
        found = self._handlers.answering.get(message_type)
        if found is None or found.declaration.kind is not kind:
            raise _not_found(message_type, kind)
        run = compile_dispatch(found.plan(self.ports, self, self._around(found)))
        if self._closed:
            run = self._only_inside(run, kind)
        (self._commands if kind is Kind.COMMAND else self._queries)[message_type] = run
        return run

    def _around(self, found: Registered) -> tuple[Any, ...]:
        return self._middlewares.around(found.declaration.kind, found.declaration.message_type, self.ports)

    def _only_inside(self, run: Run, kind: Kind) -> Run:
        """What a closed bus does: it finishes operations, and begins none."""

        async def refuse_new(message: Any) -> OperationResult[Any]:
            if running() is not None:
                return await run(message)  # type: ignore[no-any-return]
            result_type = CommandResult if kind is Kind.COMMAND else QueryResult
            sentence = "The service is shutting down: send this again, to another instance or a little later."
            return result_type.of(None, message, Outcome(OperationStatus.UNAVAILABLE, {}, sentence))

        return refuse_new

    def _compile_reactions(self, event_type: type, in_transaction: bool) -> list[Reaction]:
        return [
            compile_reaction(found.plan(self.ports, self))
            for found in self._handlers.reactions_to(event_type)
            if found.declaration.in_transaction is in_transaction
        ]

    def _compile_publication(self, event_type: type) -> list[Run]:
        """All reactions for an event outside of a unit of work. A plain instance is called without detours."""
        if self._closed and running() is None:
            raise ServiceUnavailableError("The bus takes no more events: it is shut down.")
        runs = [self._compile_direct(found) for found in self._handlers.reactions_to(event_type)]
        if not self._closed:
            self._reactions_now[event_type] = runs
        return runs

    def _compile_direct(self, found: Registered) -> Run:
        plan = found.plan(self.ports, self)
        if not plan.is_class and not plan.policies:
            return plan.handler._handle  # type: ignore[no-any-return]
        react = compile_reaction(plan)
        return lambda event: react(EventRecord(RaisedEvent(event)))


def _plain(policy: Any) -> Any:
    """What a policy says, as plain data; classes and functions by their names."""
    return to_jsonable_python(policy, fallback=lambda value: getattr(value, "__qualname__", repr(value)))


def _not_found(message_type: type, kind: Kind) -> CommandHandlerNotFoundError | QueryHandlerNotFoundError:
    command = kind is Kind.COMMAND
    error = CommandHandlerNotFoundError if command else QueryHandlerNotFoundError
    return error(
        f"Nobody handles {message_type.__name__} as a {kind.value}: declare a handler with "
        f"@{kind.value}_handler({message_type.__name__}) in a module under app/handlers, or register one on this bus."
    )
