"""The compiled pipelines of one bus: each is compiled at its first use, and again after a registration."""

from collections.abc import Callable, Coroutine
from typing import Any

from app.core.cqrs.aggregate import EventRecord, RaisedEvent
from app.core.cqrs.background import is_in_background
from app.core.cqrs.dispatch import Lease, running
from app.core.cqrs.errors import CommandHandlerNotFoundError, QueryHandlerNotFoundError, ServiceUnavailableError
from app.core.cqrs.events import Reaction, compile_reaction
from app.core.cqrs.names import check_messages
from app.core.cqrs.pipeline import compile_dispatch
from app.core.cqrs.plan import Kind
from app.core.cqrs.ports import Ports
from app.core.cqrs.publishing import publishing_plan
from app.core.cqrs.registrations import Handlers, Middlewares, Registered
from app.core.cqrs.results import CommandResult, OperationResult, Outcome, QueryResult
from app.core.cqrs.status import OperationStatus

Run = Callable[[Any], Coroutine[Any, Any, Any]]
"""Takes a message and runs it through its whole pipeline."""


class Reactions(dict[type, dict[str, Reaction]]):
    """Event type -> the reactions to it, by handler name; compiled at the first look-up."""

    def __init__(self, compile_for: Callable[[type], dict[str, Reaction]]) -> None:
        self._compile_for = compile_for

    def __missing__(self, event_type: type) -> dict[str, Reaction]:
        compiled = self[event_type] = self._compile_for(event_type)
        return compiled


class Published(list[Run]):
    """All reactions to an event outside of a unit of work. A reference to this list holds the lease of the bus."""

    lease: Lease | None = None


class Pipelines:
    """The compiled pipelines of one bus. The dicts are never replaced: the bus looks messages up in them directly."""

    def __init__(self, handlers: Handlers, middlewares: Middlewares, ports: Ports, bus: Any) -> None:
        self._handlers = handlers
        self._middlewares = middlewares
        self._ports = ports
        self._bus = bus
        self.closed = False
        self._publishing: Run | None = None
        self.commands: dict[type, Run] = {}
        self.queries: dict[type, Run] = {}
        self.published: dict[type, Published] = {}
        self.inside = Reactions(lambda event_type: self._reactions(event_type, in_transaction=True))
        self.after = Reactions(lambda event_type: self._reactions(event_type, in_transaction=False))

    def forget(self) -> None:
        """Discard all compiled pipelines; each is compiled again at its next use."""
        for compiled in (self.commands, self.queries, self.published, self.inside, self.after):
            compiled.clear()
        self._publishing = None

    def close(self) -> None:
        """From now on, refuse new operations; running ones may finish."""
        self.closed = True
        self.forget()

    def compile(self, message_type: type, kind: Kind) -> Run:
        """Compile the pipeline of a command or query.

        Raises:
            HandlerNotFoundError: if it has no handler.
        """
        found = self._handlers.answering.get(message_type)
        if found is None or found.declaration.kind is not kind:
            raise _not_found(message_type, kind)
        run = compile_dispatch(found.plan(self._ports, self._bus, self.around(found)))
        if self.closed:
            run = _only_inside(run, kind)
        (self.commands if kind is Kind.COMMAND else self.queries)[message_type] = run
        return run

    def compile_all(self) -> None:
        """Compile the pipelines of all commands and queries, so that wrong configuration is refused now."""
        self.forget()
        check_messages(found.plan(self._ports, self._bus) for found in self._handlers.answering.values())
        for message_type, found in self._handlers.answering.items():
            self.compile(message_type, found.declaration.kind)

    def compile_published(self, event_type: type) -> Published:
        """Compile all reactions to an event outside of a unit of work.

        Raises:
            ServiceUnavailableError: if the bus is closed, unless a running operation or its background work calls this.
        """
        if self.closed and running() is None and not is_in_background():
            raise ServiceUnavailableError("The bus takes no more events: it is shut down.")
        runs = Published(self.direct(found) for found in self._handlers.reactions_to(event_type))
        runs.lease = self._bus.lease
        if not self.closed:
            self.published[event_type] = runs
        return runs

    def publishing(self) -> Run:
        """The pipeline that opens a unit of work for an event published outside of one, and stores the event in it."""
        if self._publishing is None:
            run = compile_dispatch(publishing_plan(self._ports, self._bus))
            self._publishing = _only_inside(run, Kind.COMMAND) if self.closed else run
        return self._publishing

    def around(self, found: Registered) -> tuple[Any, ...]:
        """The middleware around a handler."""
        return self._middlewares.around(found.declaration.kind, found.declaration.message_type, self._ports)

    def _reactions(self, event_type: type, in_transaction: bool) -> dict[str, Reaction]:
        return {
            # Inbox and outbox know only after-commit handlers; several in-transaction handlers may share a name.
            f"{found.name} {number}" if in_transaction else found.name_on_record: self.from_log(found)
            for number, found in enumerate(self._handlers.reactions_to(event_type))
            if found.declaration.in_transaction is in_transaction
        }

    def from_log(self, found: Registered) -> Reaction:
        """The reaction of one handler to event records, in their transaction or after its commit."""
        return compile_reaction(found.plan(self._ports, self._bus))

    def direct(self, found: Registered) -> Run:
        """The reaction of one handler to events that are in no log. An instance without policies is called directly."""
        plan = found.plan(self._ports, self._bus)
        if not plan.is_class and not plan.policies:
            return plan.handler._handle  # type: ignore[no-any-return]
        react = compile_reaction(plan)
        return lambda event: react(EventRecord(RaisedEvent(event)))


def _only_inside(run: Run, kind: Kind) -> Run:
    """The pipeline of a closed bus: it serves running operations and their background work, and refuses others."""

    async def refuse_new(message: Any) -> OperationResult[Any]:
        if running() is not None or is_in_background():
            return await run(message)  # type: ignore[no-any-return]
        result_type = CommandResult if kind is Kind.COMMAND else QueryResult
        sentence = "The service is shutting down: send this again, to another instance or a little later."
        return result_type.of(None, message, Outcome(OperationStatus.UNAVAILABLE, {}, sentence))

    return refuse_new


def _not_found(message_type: type, kind: Kind) -> CommandHandlerNotFoundError | QueryHandlerNotFoundError:
    command = kind is Kind.COMMAND
    error = CommandHandlerNotFoundError if command else QueryHandlerNotFoundError
    return error(
        f"Nobody handles {message_type.__name__} as a {kind.value}: declare a handler with "
        f"@{kind.value}_handler({message_type.__name__}) in a module under app/handlers, or register one on this bus."
    )
