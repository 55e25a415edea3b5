"""Base classes of handlers. A subclass implements `_handle`; decorators declare everything around it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Self

import structlog
from typing_extensions import TypeVar

from app.core.cqrs.answers import Answers
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.decorators import declare
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.events import EventRecord
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery, Message, name_of
from app.core.cqrs.metadata import OperationMetadata
from app.core.cqrs.middleware import Injected
from app.core.cqrs.operation import Operation, current, current_bus, current_message
from app.core.cqrs.plan import Declaration, unset_hook
from app.core.cqrs.results import CommandResult, OperationResult, Pagination, QueryResult
from app.core.generics import type_arguments

C = TypeVar("C", bound=ICommand[Any], default=Any, contravariant=True)
Q = TypeVar("Q", bound=IQuery[Any], default=Any, contravariant=True)
E = TypeVar("E", bound=DomainEvent, default=Any, contravariant=True)
R = TypeVar("R", default=Any)

_get_current = current.get


class Handler(Injected):
    """Base class of all handlers: their declaration, a logger, the current metadata and the bus they run on."""

    @classmethod
    def declared(cls, declaration: Declaration) -> type[Self]:
        """Record what this class handles; the decorators call this."""
        declare(cls, declaration)
        return cls

    @property
    def logger(self) -> Any:
        """A structlog logger, bound to the handler and to the name, operation, correlation and user of the message."""
        logger = structlog.get_logger(type(self).__module__).bind(handler=type(self).__name__)
        message = current_message()
        if message is None:
            return logger
        return logger.bind(
            message_name=name_of(message),
            operation_id=message.metadata.operation_id,
            correlation_id=message.metadata.correlation_id,
            user_id=message.metadata.user_id,
        )

    @property
    def metadata(self) -> OperationMetadata:
        """The metadata of the current message; for an event from a unit of work, that of the operation that raised it.

        Raises:
            ConfigurationError: if the calling task is not handling a message.
        """
        message = current_message()
        if message is None:
            raise ConfigurationError(f"{type(self).__name__}.metadata is only available while the handler runs.")
        return message.metadata  # type: ignore[no-any-return]

    @property
    def bus(self) -> CQRSBus:
        """The bus that runs this handler. Messages that the handler dispatches on it join its unit of work.

        Raises:
            ConfigurationError: if the handler is not running.
        """
        try:
            bus = _get_current()._bus  # type: ignore[union-attr]
        except AttributeError:  # there is no operation
            bus = None
        if bus is None:
            raise ConfigurationError(f"{type(self).__name__}.bus is only available while the handler runs.")
        return bus  # type: ignore[no-any-return]

    @classmethod
    def handled_types(cls) -> tuple[Any, ...]:
        """The type arguments that the class gives to its base, such as `C` and `R`; empty if it gives none."""
        return type_arguments(cls, next(base for base in cls.__mro__ if Handler in base.__bases__))


class BaseCommandHandler(Handler, Answers, ABC, Generic[C, R]):
    """Executes a command `C` and answers an `R`."""

    answers_with = CommandResult

    @abstractmethod
    async def _handle(self, command: C) -> R | OperationResult[R]:
        """Execute the command. The outcome, returned or raised, decides whether the transaction is committed."""

    @unset_hook
    async def _get_affected_entities(self, command: C, result: R) -> dict[str, Any] | None:
        """The changed entities, for `CommandResult.affected_entities`; runs inside the transaction."""
        return None

    async def handle(self, command: C) -> CommandResult[R]:
        """Execute a command with this handler and everything declared around it, on a new bus without ports."""
        bus = CQRSBus()
        bus.register_command_handler(type(command), self)
        return await bus.execute_command(command)


class BaseQueryHandler(Handler, Answers, ABC, Generic[Q, R]):
    """Answers a query `Q` with an `R`, and changes nothing."""

    answers_with = QueryResult

    @abstractmethod
    async def _handle(self, query: Q) -> R | OperationResult[R]:
        """Answer the query."""

    @unset_hook
    async def _get_pagination_info(self, query: Q, result: R) -> Pagination | None:
        """The position of the page in the whole list, for `QueryResult.pagination`."""
        return None

    @unset_hook
    async def _get_cached_result(self, query: Q) -> R | OperationResult[R] | None:
        """Look up a cached answer; replaces the built-in look-up. None is a cache miss."""
        return None

    @unset_hook
    async def _cache_result(self, query: Q, result: OperationResult[R]) -> None:
        """Store an answer in a cache; replaces the built-in store."""

    async def handle(self, query: Q) -> QueryResult[R]:
        """Execute a query with this handler and everything declared around it, on a new bus without ports."""
        bus = CQRSBus()
        bus.register_query_handler(type(query), self)
        return await bus.execute_query(query)


class BaseEventHandler(Handler, ABC, Generic[E]):
    """Reacts to an event `E`. Events may be delivered more than once, so handling must be idempotent."""

    registered_on: ClassVar[Any] = None
    """The bus that this instance is registered on; None if the class is registered instead."""

    @property
    def bus(self) -> CQRSBus:
        """The bus that runs this handler.

        `publish_event` calls an instance without policies directly, because an operation would cost more than the
        call. Such an instance opens its operation here, on first use; `publish_event` closes it.
        """
        if self.registered_on is not None and current_bus() is None:
            Operation()._open(self.registered_on, Message())
        return super().bus

    @property
    def record(self) -> EventRecord:
        """The event with its event log data: the aggregate, and the event's number in the aggregate's stream.

        Raises:
            ConfigurationError: if the calling task is not handling an event record.
        """
        message = current_message()
        if not isinstance(message, EventRecord):
            raise ConfigurationError(f"{type(self).__name__}.record is only available while the handler runs.")
        return message

    @abstractmethod
    async def _handle(self, event: E) -> None:
        """Handle the event."""

    async def handle(self, event: E) -> None:
        """Publish an event to this handler and everything declared around it, on a new bus without ports.

        Raises:
            ExceptionGroup: if the handler fails.
        """
        bus = CQRSBus()
        bus.register_event_handler(type(event), self)
        await bus.publish_event(event)
