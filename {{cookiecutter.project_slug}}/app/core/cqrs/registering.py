"""Registration and introspection of handlers and middleware."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from app.core.cqrs.compiled import Pipelines
from app.core.cqrs.errors import PolicyError
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import Kind
from app.core.cqrs.policies.authorize import Authorize
from app.core.cqrs.policies.cached_query import CachedQuery
from app.core.cqrs.policies.invalidates import Invalidates
from app.core.cqrs.ports import Ports
from app.core.cqrs.registrations import Handlers, Middlewares, Registered, class_of
from app.core.cqrs.registry import declarations_of
from app.core.cqrs.tags import KnownTags


class Registering:
    """Registers handlers and middleware, and describes them."""

    def __init__(self, allow_handler_override: bool, ports: Ports) -> None:
        self.ports = ports
        self._handlers = Handlers(allow_handler_override)
        self._middlewares = Middlewares()
        self._pipelines = Pipelines(self._handlers, self._middlewares, ports, self)
        self._is_complete = False
        self._delivered: tuple[type, ...] | None = None
        self._tags: KnownTags | None = None

    def register(self, handler: type) -> None:
        """Register a handler for the messages that its decorators declare, except those with `auto_register=False`.

        Raises:
            DuplicateHandlerError: if one of its messages has a handler, and the bus allows no override.
            PolicyError: if no decorator declared it, or a policy on it cannot work.
        """
        declarations = declarations_of(handler)
        if not declarations:
            raise PolicyError(
                f"{handler!r} is no class that a decorator, such as @command_handler, has declared: declare it, or "
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
        """Register several command handlers by command type, as `register_command_handler` does."""
        for command_type, handler in handlers.items():
            self.register_command_handler(command_type, handler)

    def register_query_handler(self, query_type: type, handler: Any) -> None:
        """Register the handler of a query.

        Args:
            query_type: the class of the query.
            handler: a class, which is built anew for each attempt, or an instance, which is used as it is.

        Raises:
            DuplicateHandlerError: if the query has a handler, and the bus allows no override.
            PolicyError: if the handler does not fit the query, or a policy on it cannot work.
        """
        self._register(Kind.QUERY, query_type, handler)

    def register_query_handlers(self, handlers: Mapping[type, Any]) -> None:
        """Register several query handlers by query type, as `register_query_handler` does."""
        for query_type, handler in handlers.items():
            self.register_query_handler(query_type, handler)

    def register_event_handler(self, event_type: type, handler: Any) -> None:
        """Register one more handler of an event and its subclasses.

        Args:
            event_type: the class of the event.
            handler: a class, which is built anew for each attempt, or an instance, which is used as it is.

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

    def _add_middleware(self, kinds: tuple[Kind, ...], middleware: Any) -> None:
        self._middlewares.add(kinds, middleware)
        self._pipelines.forget()

    def _register(self, kind: Kind, message_type: type, handler: Any) -> None:
        registered = Registered.checked(kind, message_type, handler)
        plan = registered.plan(self.ports, self)
        for policy in plan.policies.values():
            policy.check(plan)
        problems = [problem] if (problem := self._undelivered(registered)) else []
        if self._is_complete and (policy := plan.policy(Invalidates)) is not None:
            problems += self._unread_tags(registered, policy)
        if problems:
            raise PolicyError("\n".join(problems))
        self._handlers.add(registered)
        self._tags = None
        if kind is Kind.EVENT and not isinstance(handler, type):
            handler.registered_on = self
        self._pipelines.forget()

    def complete(self, events: Iterable[type] | None = None) -> None:
        """Mark the registration as complete, and refuse references to handlers and events that do not exist.

        Handlers that are registered later, and tags given to `mark_stale`, are checked from then on.

        Args:
            events: the classes of the events that are delivered from an event log; None: there is no log.

        Raises:
            PolicyError: if a command invalidates a tag that no cached query has, a behaviour is for messages without
                a handler, or a handler is for events that are not delivered. The message lists all of them.
        """
        self._is_complete = True
        self._delivered = None if events is None else tuple(events)
        problems = []
        for found, policy in self._handlers.with_policy(Invalidates):
            problems += self._unread_tags(found, policy)
        problems += self._middlewares.idle(self._handlers.answering)
        problems += [problem for found in self._handlers.reacting if (problem := self._undelivered(found))]
        if problems:
            raise PolicyError("\n".join(problems))

    def _undelivered(self, registered: Registered) -> str | None:
        """Explain why a handler would never receive an event; None if it may receive one."""
        event_type = registered.declaration.message_type
        if (
            registered.declaration.kind is not Kind.EVENT
            or registered.declaration.in_transaction
            or self._delivered is None
            or any(issubclass(event, event_type) for event in self._delivered)
        ):
            return None
        return (
            f"{registered.name} would never have an event: {event_type.__module__}.{event_type.__qualname__} is in no "
            "module that this service finds events in, so it is not read from the event log. Move it to app/domain, or "
            "into the module of the handler."
        )

    def require_readers(self, who: str, tags: Iterable[str]) -> None:
        """Ensure that cache entries use these tags, if the registration is complete.

        Args:
            who: the operation that invalidates the tags, for the error message.
            tags: the tags, already filled from fields.

        Raises:
            PolicyError: if a tag belongs to no cached query, and was not declared.
        """
        if self._is_complete:
            for tag in tags:
                if not self._known_tags().has(tag):
                    raise PolicyError(self._unread(who, tag))

    def _unread_tags(self, found: Registered, policy: Invalidates) -> list[str]:
        """Explain which tags of a handler no cached query has."""
        unread = [tag for tag in policy.tags if not self._known_tags().has_shape(tag)]
        return [self._unread(f"@invalidates of {found.name}", tag) for tag in unread]

    def _known_tags(self) -> KnownTags:
        if self._tags is None:
            self._tags = KnownTags(tag for _, policy in self._handlers.with_policy(CachedQuery) for tag in policy.tags)
        return self._tags

    def _unread(self, who: str, tag: str) -> str:
        return (
            f"{who} makes the tag {tag!r} stale, which no @cached_query has; there are: {self._known_tags()}. Correct "
            "one of them, or call declare_tags() where something else keeps entries under it."
        )

    def get_registered_handlers(self) -> dict[str, dict[type, Any]]:
        """The handler class by message type, for `commands` and `queries`; for `events`, a list of classes."""
        events: dict[type, list[type]] = {}
        for registered in self._handlers.reacting:
            events.setdefault(registered.declaration.message_type, []).append(class_of(registered.handler))
        return {
            "commands": {t: class_of(found.handler) for t, found in self._handlers.of_kind(Kind.COMMAND).items()},
            "queries": {t: class_of(found.handler) for t, found in self._handlers.of_kind(Kind.QUERY).items()},
            "events": dict(events),
        }

    def get_handler_count(self) -> dict[str, int]:
        """The number of handlers: `commands`, `queries`, `events` and `total`."""
        commands, queries = (len(self._handlers.of_kind(kind)) for kind in (Kind.COMMAND, Kind.QUERY))
        events = len(self._handlers.reacting)
        return {"commands": commands, "queries": queries, "events": events, "total": commands + queries + events}

    def describe(self) -> dict[str, Any]:
        """The whole bus as plain data: per message its handler, policies and steps; per event its reactions."""
        answering = {Kind.COMMAND: {}, Kind.QUERY: {}}  # type: dict[Kind, dict[str, Any]]
        for message_type, found in self._handlers.answering.items():
            plan = found.plan(self.ports, self, self._pipelines.around(found))
            described, name = answering[found.declaration.kind], message_type.__name__
            described[f"{message_type.__module__}.{name}" if name in described else name] = {
                "handler": found.name,
                "timeout_seconds": found.declaration.timeout_seconds,
                "open_to_everybody": plan.policy(Authorize) is None,
                "policies": {type(policy).__name__: _plain(policy) for policy in plan.policies.values()},
                "steps": compile_steps(plan)[1],
            }
        reactions: dict[str, Any] = {}
        for found in self._handlers.reacting:
            event = reactions.setdefault(found.declaration.message_type.__name__, [])
            event.append({"handler": found.name, "in_transaction": found.declaration.in_transaction})
        return {"commands": answering[Kind.COMMAND], "queries": answering[Kind.QUERY], "events": reactions}


def _plain(policy: Any) -> Any:
    """The fields of a policy as plain data, with the names of classes and functions."""
    return to_jsonable_python(policy, fallback=lambda value: getattr(value, "__qualname__", repr(value)))
