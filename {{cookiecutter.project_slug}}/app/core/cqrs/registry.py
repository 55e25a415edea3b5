"""What is registered on one bus: its handlers, its middleware, and the known cache tags."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_jsonable_python

from app.core.cqrs.checks import check_fit, check_message_names
from app.core.cqrs.errors import DuplicateHandlerError, PolicyError
from app.core.cqrs.middleware import Middlewares
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import (
    DEFAULT_COMMAND_TIMEOUT_SECONDS,
    DEFAULT_QUERY_TIMEOUT_SECONDS,
    Declaration,
    Kind,
    Plan,
    declarations_of,
)
from app.core.cqrs.policies.authorize import Authorize
from app.core.cqrs.policies.cached_query import CachedQuery
from app.core.cqrs.policies.invalidates import Invalidates, KnownTags
from app.core.cqrs.ports import Ports
from app.core.generics import path_of

TIMEOUTS = {Kind.COMMAND: DEFAULT_COMMAND_TIMEOUT_SECONDS, Kind.QUERY: DEFAULT_QUERY_TIMEOUT_SECONDS, Kind.EVENT: None}
"""The deadline, in seconds, of handlers that no decorator declared for the message."""

PLURALS = {Kind.COMMAND: "commands", Kind.QUERY: "queries", Kind.EVENT: "events"}


class Registry:
    """What a bus is based on: one handler for each command and query, any number for each event, and middleware."""

    def __init__(self, allow_handler_override: bool, ports: Ports) -> None:
        self.ports = ports
        self._allow_override = allow_handler_override
        self._answering: dict[type, Plan] = {}  # the handlers of commands and queries
        self._reacting: list[Plan] = []  # the handlers of events
        self._middlewares = Middlewares()
        self._is_complete = False
        self._delivered: tuple[type, ...] | None = None
        self._tags: KnownTags | None = None

    def register(self, handler: type) -> None:
        """Register a handler for the messages that its decorators declare, except those with `auto_register=False`.

        Raises:
            DuplicateHandlerError: if one of its messages has a handler, and the bus allows no override; or if another
                event handler is known by its name in the event log.
            PolicyError: if no decorator declared it, or a policy on it cannot work.
        """
        declarations = declarations_of(handler)
        if not declarations:
            raise PolicyError(
                f"{handler!r} is not a class that a decorator, such as @command_handler, has declared: declare it, or "
                "name its message, as register_command_handler() does."
            )
        for declaration in declarations:
            if declaration.auto_register:
                self._register(declaration.kind, declaration.message_type, handler)

    def register_command_handler(self, command_type: type, handler: Any) -> None:
        """Register the handler of a command.

        Args:
            command_type: the class of the command.
            handler: a class, which is built anew for each attempt, or an instance, which is used as it is.

        Raises:
            DuplicateHandlerError: if the command has a handler, and the bus allows no override.
            PolicyError: if the handler does not fit the command, or a policy on it cannot work.
        """
        self._register(Kind.COMMAND, command_type, handler)

    def register_command_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several command handlers by command type."""
        for command_type, handler in handlers.items():
            self.register_command_handler(command_type, handler)

    def register_query_handler(self, query_type: type, handler: Any) -> None:
        """Register the handler of a query; takes and raises the same as `register_command_handler`."""
        self._register(Kind.QUERY, query_type, handler)

    def register_query_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several query handlers by query type."""
        for query_type, handler in handlers.items():
            self.register_query_handler(query_type, handler)

    def register_event_handler(self, event_type: type, handler: Any) -> None:
        """Register one more handler, a class or an instance, of an event and its subclasses.

        Raises:
            DuplicateHandlerError: if another handler has the same name in the inbox and the outbox.
            PolicyError: if the handler does not fit the event, or a policy on it cannot work.
        """
        self._register(Kind.EVENT, event_type, handler)

    def register_event_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several event handlers: event type -> handler, or a list or tuple of handlers."""
        for event_type, given in handlers.items():
            for handler in given if isinstance(given, (list, tuple)) else (given,):
                self.register_event_handler(event_type, handler)

    def add_middleware(self, middleware: Any) -> None:
        """Put a middleware around all commands and queries, inside the middleware added before.

        Args:
            middleware: an `async def (operation, next_handler)`, or a `PipelineBehavior` as a class or an instance,
                which only surrounds the messages it is typed for.

        Raises:
            PolicyError: if it is neither, or a behaviour for something that is neither command nor query.
        """
        self._add_middleware((Kind.COMMAND, Kind.QUERY), middleware)

    def add_command_middleware(self, middleware: Any) -> None:
        """Put a middleware around all commands, as `add_middleware` does."""
        self._add_middleware((Kind.COMMAND,), middleware)

    def add_query_middleware(self, middleware: Any) -> None:
        """Put a middleware around all queries, as `add_middleware` does."""
        self._add_middleware((Kind.QUERY,), middleware)

    def get_registered_handlers(self) -> dict[str, dict[type, Any]]:
        """Message type -> handler class under `commands` and `queries`; event type -> list of them under `events`."""
        found: dict[str, dict[type, Any]] = {plural: {} for plural in PLURALS.values()}
        for message_type, plan in self._answering.items():
            found[PLURALS[plan.kind]][message_type] = plan.handler_type
        for plan in self._reacting:
            found["events"].setdefault(plan.message_type, []).append(plan.handler_type)
        return found

    def get_handler_count(self) -> dict[str, int]:
        """The number of registrations by kind, and their `total`; a class counts once for each registered message."""
        counts = dict.fromkeys(PLURALS.values(), 0)
        for plan in (*self._answering.values(), *self._reacting):
            counts[PLURALS[plan.kind]] += 1
        return {**counts, "total": sum(counts.values())}

    def describe(self) -> dict[str, Any]:
        """Describe the bus as JSON data: the pipeline of each command and query, and the handlers of each event.

        Keys are class names; a second command or query of the same name has its module in front. Pipelines are compiled
        for this; a PolicyError is raised if one needs a behaviour that only a started bus can build.
        """
        found: dict[str, dict[str, Any]] = {plural: {} for plural in PLURALS.values()}
        for message_type, plan in self._answering.items():
            described, name = found[PLURALS[plan.kind]], message_type.__name__
            described[f"{message_type.__module__}.{name}" if name in described else name] = {
                "handler": plan.handler_type.__name__,
                "timeout_seconds": plan.timeout_seconds,
                "open_to_everybody": plan.policy(Authorize) is None,
                "policies": {type(policy).__name__: _plain(policy) for policy in plan.policies.values()},
                "steps": compile_steps(self._with_middleware(plan))[1],
            }
        for plan in self._reacting:
            reactions = found["events"].setdefault(plan.message_type.__name__, [])
            reactions.append({"handler": plan.handler_type.__name__, "in_transaction": plan.in_transaction})
        return found

    def complete(self, events: Iterable[type] | None = None) -> None:
        """Mark the registration as complete; handlers and tags that come later are checked at once.

        Args:
            events: the classes of the events that are delivered from an event log; None: there is no log.

        Raises:
            PolicyError: if a command invalidates a tag that no cached query has, a behaviour is for messages without
                a handler, or a handler is for events that are not delivered. The message lists all of them.
        """
        self._is_complete = True
        self._delivered = None if events is None else tuple(events)
        problems = [problem for plan in self._answering.values() for problem in self._unread_tags(plan)]
        problems += self._middlewares.idle(self._answering)
        problems += [problem for plan in self._reacting for problem in self._undelivered(plan)]
        if problems:
            raise PolicyError("\n".join(problems))

    def check_names(self) -> None:
        """Raise a PolicyError if two messages would share cache entries or idempotency keys, as they have one name."""
        check_message_names(self._answering.values())

    def require_readers(self, who: str, tags: Iterable[str]) -> None:
        """Raise a PolicyError if `who` invalidates a tag that no cache entry has, once the registration is complete."""
        for tag in tags if self._is_complete else ():
            if not self._known_tags().has(tag):
                raise PolicyError(self._known_tags().sentence(who, tag))

    def reactions_of(self, event_type: type) -> list[Plan]:
        """The handlers of an event and of its base classes, in the order of their registration.

        A handler that is registered for several of these classes appears once, with the nearest class.
        """
        lineage = event_type.__mro__
        found: dict[int, Plan] = {}
        for one in self._reacting:
            if issubclass(event_type, one.message_type):
                known = found.setdefault(id(one.handler), one)
                if lineage.index(one.message_type) < lineage.index(known.message_type):
                    found[id(one.handler)] = one
        return list(found.values())

    def forget(self) -> None:
        """Called when the registrations have changed: the bus discards what it has compiled from them."""

    def _add_middleware(self, kinds: tuple[Kind, ...], middleware: Any) -> None:
        self._middlewares.add(kinds, middleware)
        self.forget()

    def _with_middleware(self, plan: Plan) -> Plan:
        return replace(plan, middlewares=self._middlewares.around(plan.kind, plan.message_type, self.ports))

    def _register(self, kind: Kind, message_type: type, handler: Any) -> None:
        plan = Plan.of(_declaration(kind, message_type, handler), handler, self)
        check_fit(plan)
        for policy in plan.policies.values():
            policy.check(plan)
        problems = list(self._undelivered(plan))
        if self._is_complete:
            problems += self._unread_tags(plan)
        if problems:
            raise PolicyError("\n".join(problems))
        if kind is Kind.EVENT:
            self._add_reaction(plan)
        else:
            self._add_answer(plan)
        self._tags = None
        self.forget()

    def _add_answer(self, plan: Plan) -> None:
        earlier = self._answering.get(plan.message_type)
        if earlier is not None and not self._allow_override:
            raise DuplicateHandlerError(
                f"{plan.message_type.__name__} is handled by {earlier.handler_type.__name__} and by "
                f"{plan.handler_type.__name__}: remove one of them, or make the bus with allow_handler_override=True "
                "to let the later one win."
            )
        self._answering[plan.message_type] = plan

    def _add_reaction(self, plan: Plan) -> None:
        path, name = path_of(plan.handler_type), plan.name_on_record
        for other in self._reacting:  # in-transaction handlers are not stored in inbox or outbox
            is_stored = not (plan.in_transaction or other.in_transaction)
            if is_stored and other.base_name == name and path_of(other.handler_type) != path:
                raise DuplicateHandlerError(
                    f"{path_of(other.handler_type)} and {path} are both known as {name}, and an event that one has "
                    'handled would count as handled by both: give one of them @event_handler(..., name="...").'
                )
        same = {
            id(other.handler)
            for other in self._reacting
            if path_of(other.handler_type) == path and other.message_type is plan.message_type
        }
        if id(plan.handler) in same:
            return
        self._reacting.append(replace(plan, number=len(same) + 1))
        if not plan.is_class:
            plan.handler.registered_on = self

    def _undelivered(self, plan: Plan) -> Iterator[str]:
        event_type, delivered = plan.message_type, self._delivered
        if plan.kind is not Kind.EVENT or plan.in_transaction or delivered is None:
            return
        if not any(issubclass(event, event_type) for event in delivered):
            yield (
                f"{plan.handler_type.__name__} would never receive an event: {path_of(event_type)} is in no module "
                "that this service finds events in, so it is not read from the event log. Move it to app/domain, or "
                "into the module of the handler."
            )

    def _unread_tags(self, plan: Plan) -> Iterator[str]:
        policy = plan.policy(Invalidates)
        for tag in () if policy is None else policy.tags:
            if not self._known_tags().has_shape(tag):
                yield self._known_tags().sentence(f"@invalidates of {plan.handler_type.__name__}", tag)

    def _known_tags(self) -> KnownTags:
        if self._tags is None:
            cached = [policy for plan in self._answering.values() if (policy := plan.policy(CachedQuery)) is not None]
            self._tags = KnownTags(tag for policy in cached for tag in policy.tags)
        return self._tags


def _declaration(kind: Kind, message_type: type, handler: Any) -> Declaration:
    """The declaration of the handler's decorator for this message, or else a declaration with the defaults."""
    for declaration in declarations_of(handler if isinstance(handler, type) else type(handler)):
        if declaration.kind is kind and declaration.message_type is message_type:
            return declaration
    return Declaration(kind, message_type, timeout_seconds=TIMEOUTS[kind])


def _plain(policy: Any) -> Any:
    """The fields of a policy as JSON data; classes and functions are replaced by their names."""
    return to_jsonable_python(policy, fallback=lambda value: getattr(value, "__qualname__", repr(value)))
