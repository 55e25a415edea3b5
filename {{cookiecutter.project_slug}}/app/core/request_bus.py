"""The bus as endpoints see it: each message carries the caller and the ids of its request."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from app.core.awaited import coroutine_function
from app.core.cqrs import CommandResult, CQRSBus, ICommand, IQuery, QueryResult
from app.core.cqrs.dispatch import reused

R = TypeVar("R")


@dataclass(slots=True)
class RequestBus:
    """The bus for one request: it adds the caller and the ids of the request to the metadata of each message.

    A command that has an `idempotency_key` keeps it. The others get the key of the request; from the second of a type
    on, with its number: otherwise it would be answered as a repetition of the first. A failed command uses up no
    number, unless its failure is stored under it: when the request is repeated, the same commands have the same keys.
    """

    bus: CQRSBus
    user_id: str | None
    correlation_id: str | None
    traceparent: str | None
    idempotency_key: str | None
    _keys_used: dict[type, int] | None = field(default=None, init=False)
    _source: ClassVar[str] = "http"

    @coroutine_function
    def execute_command(self, command: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]:
        """Execute a command."""
        self._claim(command)
        self._stamp(command)
        if self.idempotency_key is None or command.metadata.idempotency_key is not None:
            return self.bus.execute_command(command)
        return self._under_next_key(command, self.idempotency_key)

    async def _under_next_key(self, command: ICommand[R], key: str) -> CommandResult[R]:
        kind, used = type(command), self._keys_used or {}
        self._keys_used = used
        used[kind] = number = used.get(kind, 0) + 1
        # No client can send the key of another number: keys in headers have no spaces.
        command.metadata.idempotency_key = key if number == 1 else f"{key} {number}"
        result = await self.bus.execute_command(command)
        if result.is_failure and not result._outcome.is_kept and used[kind] == number:
            used[kind] -= 1
        return result

    @coroutine_function
    def execute_query(self, query: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]:
        """Execute a query."""
        self._claim(query)
        self._stamp(query)
        query.metadata.idempotency_key = query.metadata.idempotency_key or self.idempotency_key
        return self.bus.execute_query(query)

    def _claim(self, message: ICommand[Any] | IQuery[Any]) -> None:
        """Raise a ConfigurationError for a message that another request sent, maybe at this moment."""
        if getattr(message, "_sender", self) is not self:
            raise reused(message)
        object.__setattr__(message, "_sender", self)

    def _stamp(self, message: ICommand[Any] | IQuery[Any]) -> None:
        metadata = message.metadata
        metadata.user_id = self.user_id
        metadata.correlation_id = self.correlation_id or metadata.correlation_id
        metadata.traceparent = self.traceparent
        metadata.source = self._source


@dataclass(slots=True)
class SocketBus(RequestBus):
    """The bus for one WebSocket, which may stay open longer than its caller's access is valid.

    Each message is an operation with its own transaction and its own container scope. It also has its own
    `idempotency_key`: the endpoint sets it in the metadata. If the access token has expired, or its login has ended,
    an AuthenticationError is raised, and the socket is closed.
    """

    require_caller: Callable[[], Awaitable[object]] | None
    _source: ClassVar[str] = "websocket"

    async def execute_command(self, command: ICommand[R]) -> CommandResult[R]:
        """Execute a command."""
        await self._admit(command)
        return await self.bus.execute_command(command)

    async def execute_query(self, query: IQuery[R]) -> QueryResult[R]:
        """Execute a query."""
        await self._admit(query)
        return await self.bus.execute_query(query)

    async def _admit(self, message: ICommand[Any] | IQuery[Any]) -> None:
        self._claim(message)
        if self.require_caller is not None:
            await self.require_caller()
        self._stamp(message)
