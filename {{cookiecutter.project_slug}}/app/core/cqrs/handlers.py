"""Base classes of handlers. A subclass implements `_handle`; decorators declare everything around it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NoReturn, Self

import structlog
from typing_extensions import TypeVar

from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.errors import ConfigurationError, OperationStatus, PolicyError
from app.core.cqrs.events import DomainEvent, EventRecord
from app.core.cqrs.messages import ICommand, IQuery, Message, name_of
from app.core.cqrs.operation import Operation, OperationMetadata, current, current_bus, current_message
from app.core.cqrs.plan import Declaration, Kind, declarations_of, declared_handlers, unset_hook
from app.core.cqrs.results import CommandResult, OperationResult, Pagination, QueryResult, returned_error
from app.core.generics import type_arguments
from app.core.injected import Injected

C = TypeVar("C", bound=ICommand[Any], default=Any, contravariant=True)
Q = TypeVar("Q", bound=IQuery[Any], default=Any, contravariant=True)
E = TypeVar("E", bound=DomainEvent, default=Any, contravariant=True)
R = TypeVar("R", default=Any)
T = TypeVar("T")

Errors = Mapping[str, Any] | None
"""Field -> message."""

_get_current = current.get


class Handler(Injected):
    """Base class of all handlers: their declaration, a logger, the current metadata and the bus they run on."""

    @classmethod
    def declared(cls, declaration: Declaration) -> type[Self]:
        """Record what this class handles: one command or query, or several events; a PolicyError if it is more."""
        others = [one for one in declarations_of(cls) if one.message_type is not declaration.message_type]
        for other in others:
            if not (other.kind is declaration.kind is Kind.EVENT):
                raise PolicyError(
                    f"{cls.__name__} is declared as the handler of {other.message_type.__name__} and of "
                    f"{declaration.message_type.__name__}: a class handles one command or query, so write a class for "
                    "each."
                )
        cls.__handles__ = (*others, declaration)  # type: ignore[attr-defined]
        if cls not in declared_handlers:
            declared_handlers.append(cls)
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

        Raises a ConfigurationError while the handler is not running, as `bus` does.
        """
        message = current_message()
        if message is None:
            raise ConfigurationError(
                f"{type(self).__name__}.metadata is only available while the handler runs, in its own task."
            )
        return message.metadata  # type: ignore[no-any-return]

    @property
    def bus(self) -> CQRSBus:
        """The bus that runs this handler. Messages that the handler dispatches on it join its unit of work."""
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


class Answers:
    """Methods that make successful results, to be returned, and methods that raise the error of a failed status."""

    answers_with: ClassVar[type[OperationResult[Any]]] = OperationResult

    def ok(self, data: T) -> OperationResult[T]:
        """The operation succeeded; `data` is its answer."""
        return OperationResult.success(data)

    def created(self, data: T) -> OperationResult[T]:
        """The operation created something, which `data` describes."""
        return OperationResult.success(data, OperationStatus.CREATED)

    def accepted(self, data: T) -> OperationResult[T]:
        """The operation was accepted and will be completed later."""
        return OperationResult.success(data, OperationStatus.ACCEPTED)

    def no_content(self) -> OperationResult[Any]:
        """The operation succeeded and has no answer."""
        return OperationResult.success(None, OperationStatus.NO_CONTENT)

    def bad_request(self, message: str, errors: Errors = None) -> NoReturn:
        """The request makes no sense as it stands."""
        self._refuse(OperationStatus.BAD_REQUEST, errors, message)

    def unauthorized(self, message: str, errors: Errors = None) -> NoReturn:
        """The caller is not authenticated; HTTP calls this status 401 Unauthorized."""
        self._refuse(OperationStatus.UNAUTHENTICATED, errors, message)

    def forbidden(self, message: str, errors: Errors = None) -> NoReturn:
        """The caller is authenticated but not permitted to do this."""
        self._refuse(OperationStatus.FORBIDDEN, errors, message)

    def not_found(self, message: str, errors: Errors = None) -> NoReturn:
        """The requested thing does not exist."""
        self._refuse(OperationStatus.NOT_FOUND, errors, message)

    def conflict(self, message: str, errors: Errors = None) -> NoReturn:
        """The change conflicts with the stored state."""
        self._refuse(OperationStatus.CONFLICT, errors, message)

    def unprocessable_entity(self, message: str, errors: Errors = None) -> NoReturn:
        """Fields of the message are invalid in a way that only the handler can detect."""
        self._refuse(OperationStatus.VALIDATION_ERROR, errors, message)

    def internal_server_error(self, message: str, errors: Errors = None) -> NoReturn:
        """The operation failed on the server. The caller sees `message`: it must not contain internals."""
        self._refuse(OperationStatus.FAILED, errors, message)

    def service_unavailable(self, message: str, errors: Errors = None) -> NoReturn:
        """A dependency of this operation is unavailable at the moment."""
        self._refuse(OperationStatus.UNAVAILABLE, errors, message)

    def _refuse(self, status: OperationStatus, errors: Errors, message: str) -> NoReturn:
        result = self.answers_with.failure(status, errors, message)
        result._message = current_message()
        raise returned_error(result)


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

        Raises a ConfigurationError while the handler is not running.
        """
        message = current_message()
        if not isinstance(message, EventRecord):
            raise ConfigurationError(f"{type(self).__name__}.record is only available while the handler runs.")
        return message

    @abstractmethod
    async def _handle(self, event: E) -> None:
        """Handle the event."""

    async def handle(self, event: E) -> None:
        """Publish an event to this handler, as `publish_event` does, on a new bus without ports."""
        bus = CQRSBus()
        bus.register_event_handler(type(event), self)
        await bus.publish_event(event)
