"""The bases of handlers. Implement `_handle`; everything around it is said by decorators."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Self

import structlog
from typing_extensions import TypeVar

from app.core.cqrs.aggregate import EventRecord
from app.core.cqrs.answers import Answers
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.dispatch import Dispatch, Lease, current, current_bus, current_message
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.generics import type_arguments
from app.core.cqrs.injected import Injected
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery, Message, name_of
from app.core.cqrs.metadata import OperationMetadata
from app.core.cqrs.plan import unset_hook
from app.core.cqrs.registry import Declaration, declare
from app.core.cqrs.results import CommandResult, OperationResult, Pagination, QueryResult

C = TypeVar("C", bound=ICommand[Any], default=Any, contravariant=True)
Q = TypeVar("Q", bound=IQuery[Any], default=Any, contravariant=True)
E = TypeVar("E", bound=DomainEvent, default=Any, contravariant=True)
R = TypeVar("R", default=Any)

_get_current = current.get


class Handler(Injected):
    """What all handlers have: their declaration, a logger, and the bus they run on."""

    @classmethod
    def declared(cls, declaration: Declaration) -> type[Self]:
        """Used by the decorators: note what this class handles."""
        declare(cls, declaration)
        return cls

    @property
    def logger(self) -> Any:
        """A structlog logger that knows the operation, its caller and the message."""
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
        """The metadata of the message that is being handled; of an event, that of the operation that raised it.

        Raises:
            ConfigurationError: nothing is being handled now.
        """
        message = current_message()
        if message is None:
            raise ConfigurationError(f"{type(self).__name__}.metadata is there while the handler runs, only then.")
        return message.metadata  # type: ignore[no-any-return]

    @property
    def bus(self) -> CQRSBus:
        """The bus that runs this handler. What is dispatched on it here belongs to the same unit of work.

        Raises:
            ConfigurationError: nothing is being handled now.
        """
        try:
            return _get_current()._lease.bus  # type: ignore[union-attr, no-any-return]
        except AttributeError:  # no dispatch, or one that is over
            raise ConfigurationError(f"{type(self).__name__}.bus is there while the handler runs, only then.") from None


class BaseCommandHandler(Handler, Answers, ABC, Generic[C, R]):
    """Does what a command `C` orders and answers an `R`."""

    answers_with = CommandResult

    @abstractmethod
    async def _handle(self, command: C) -> R | OperationResult[R]:
        """Do it. What is returned or raised here decides whether the work is kept."""

    @unset_hook
    async def _get_affected_entities(self, command: C, result: R) -> dict[str, Any] | None:
        """What the command changed, for `CommandResult.affected_entities`; runs inside the transaction."""
        return None

    async def handle(self, command: C) -> CommandResult[R]:
        """Run a command through this handler and everything declared around it, on a bus of its own."""
        bus = CQRSBus()
        bus.register_command_handler(type(command), self)
        return await bus.execute_command(command)

    @classmethod
    def handled_types(cls) -> tuple[Any, ...]:
        """The `C` and `R` of this handler, where it says them."""
        return type_arguments(cls, BaseCommandHandler)


class BaseQueryHandler(Handler, Answers, ABC, Generic[Q, R]):
    """Answers a query `Q` with an `R`, and changes nothing."""

    answers_with = QueryResult

    @abstractmethod
    async def _handle(self, query: Q) -> R | OperationResult[R]:
        """Find the answer."""

    @unset_hook
    async def _get_pagination_info(self, query: Q, result: R) -> Pagination | None:
        """Where the page stands in the whole list, for `QueryResult.pagination`."""
        return None

    @unset_hook
    async def _get_cached_result(self, query: Q) -> R | OperationResult[R] | None:
        """A cached answer, in place of the built-in look-up; None when there is none."""
        return None

    @unset_hook
    async def _cache_result(self, query: Q, result: OperationResult[R]) -> None:
        """Keep an answer, in place of the built-in store."""

    async def handle(self, query: Q) -> QueryResult[R]:
        """Run a query through this handler and everything declared around it, on a bus of its own."""
        bus = CQRSBus()
        bus.register_query_handler(type(query), self)
        return await bus.execute_query(query)

    @classmethod
    def handled_types(cls) -> tuple[Any, ...]:
        """The `Q` and `R` of this handler, where it says them."""
        return type_arguments(cls, BaseQueryHandler)


class BaseEventHandler(Handler, ABC, Generic[E]):
    """Reacts to an event `E`. It may see an event more than once, and must then have one effect."""

    registered_on: ClassVar[Any] = None
    """The bus that has this instance, if one was registered rather than the class."""

    @property
    def bus(self) -> CQRSBus:
        """The bus that runs this handler.

        An instance without policies is called without a dispatch around it, which would cost more than the call.
        This is where it turns out to need one; `publish_event` closes it.
        """
        if self.registered_on is not None and current_bus() is None:
            Dispatch()._open(Lease(self.registered_on), Message())
        return super().bus

    @property
    def record(self) -> EventRecord:
        """The event as the event log keeps it: with its aggregate, and its number in the aggregate's stream.

        Raises:
            ConfigurationError: nothing is being handled now.
        """
        message = current_message()
        if not isinstance(message, EventRecord):
            raise ConfigurationError(f"{type(self).__name__}.record is there while the handler runs, only then.")
        return message

    @abstractmethod
    async def _handle(self, event: E) -> None:
        """React."""

    async def handle(self, event: E) -> None:
        """Run an event through this handler and everything declared around it, on a bus of its own."""
        bus = CQRSBus()
        bus.register_event_handler(type(event), self)
        await bus.publish_event(event)

    @classmethod
    def handled_types(cls) -> tuple[Any, ...]:
        """The `E` of this handler, where it says it."""
        return type_arguments(cls, BaseEventHandler)
