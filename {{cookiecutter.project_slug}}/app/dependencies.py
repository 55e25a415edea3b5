"""What endpoints ask for, of HTTP and of WebSockets: `bus: Bus`, `user: CurrentUser`, `page: Page`."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from app.composition.container import RunningService
from app.core.cqrs import (
    AuthenticationError,
    BadRequestError,
    CommandResult,
    CQRSBus,
    ICommand,
    IQuery,
    OperationMetadata,
    QueryResult,
)
from app.core.cqrs.awaited import coroutine_function
from app.domain.ports import AccessToken, AccessTokens
from app.persistence.access import OpenLogins
from app.read_models.pages import LARGEST_PAGE, LARGEST_PAGE_SIZE

R = TypeVar("R")

LONGEST_KEY = 200
SANE_KEY = re.compile(b"[!-~]{1,%d}" % LONGEST_KEY)
bearer = OAuth2PasswordBearer(tokenUrl="/api/auth/login", refreshUrl="/api/auth/refresh", auto_error=False)


@dataclass(slots=True)
class RequestBus:
    """The service's bus, for one request: what is sent through it carries who asked, and for which request."""

    bus: CQRSBus
    user_id: str | None
    correlation_id: str | None
    traceparent: str | None
    idempotency_key: str | None

    @coroutine_function
    def execute_command(self, command: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]:
        """Have a command done."""
        self._stamp(command.metadata)
        return self.bus.execute_command(command)

    @coroutine_function
    def execute_query(self, query: IQuery[R]) -> Coroutine[Any, Any, QueryResult[R]]:
        """Have a query answered."""
        self._stamp(query.metadata)
        return self.bus.execute_query(query)

    def _stamp(self, metadata: OperationMetadata) -> None:
        metadata.user_id = self.user_id
        metadata.correlation_id = self.correlation_id or metadata.correlation_id
        metadata.traceparent = self.traceparent
        metadata.idempotency_key = self.idempotency_key
        metadata.source = "http"


@dataclass(slots=True)
class SocketBus(RequestBus):
    """The service's bus, for one WebSocket, which may stay open for longer than its caller may call.

    Each message is an operation of its own, with its own transaction and what the container builds for it. Its
    `idempotency_key` is its own too: what the endpoint has set in the metadata stays.
    """

    require_caller: Callable[[], Awaitable[object]] | None

    async def execute_command(self, command: ICommand[R]) -> CommandResult[R]:
        """Have a command done.

        Raises:
            AuthenticationError: the access token has expired by now, or its login has ended; the socket is closed.
        """
        await self._require()
        self._stamp(command.metadata)
        return await self.bus.execute_command(command)

    async def execute_query(self, query: IQuery[R]) -> QueryResult[R]:
        """Have a query answered.

        Raises:
            AuthenticationError: the access token has expired by now, or its login has ended; the socket is closed.
        """
        await self._require()
        self._stamp(query.metadata)
        return await self.bus.execute_query(query)

    async def _require(self) -> None:
        if self.require_caller is not None:
            await self.require_caller()

    def _stamp(self, metadata: OperationMetadata) -> None:
        metadata.user_id = self.user_id
        metadata.correlation_id = self.correlation_id or metadata.correlation_id
        metadata.traceparent = self.traceparent
        metadata.source = "websocket"


async def _service(connection: HTTPConnection) -> RunningService:
    return connection.app.state.service  # type: ignore[no-any-return]


Service = Annotated[RunningService, Depends(_service)]
"""The running service: its bus, its container, its settings."""


SentToken = Annotated[str | None, Depends(bearer)]
"""The access token as it was sent; None if there was none."""


async def _current_user(connection: HTTPConnection, token: SentToken) -> AccessToken:
    if token is None:
        raise AuthenticationError("Sign in first: send an access token as `Authorization: Bearer ...`.")
    container = connection.app.state.service.container
    caller: AccessToken = (await container.get(AccessTokens)).read(token)
    await (await container.get(OpenLogins)).require(caller)
    return caller


CurrentUser = Annotated[AccessToken, Depends(_current_user)]
"""Who calls; without an access token, or with that of a login that has ended, the answer is 401."""


class CallersBus(SecurityBase):
    """Gives an endpoint the bus for whoever calls.

    FastAPI takes longer for each dependency of a dependency, and for each header that is one, than the bus for a
    command. So this is one that reads the headers itself, and is at the same time the scheme that the documentation
    shows; `app.api.routing` documents the key.
    """

    model = bearer.model
    scheme_name = bearer.scheme_name

    async def __call__(self, connection: HTTPConnection) -> RequestBus:
        """The bus, for the caller that the access token names, if one was sent. One that is no good is not none."""
        if b"authorization" not in connection.scope["state"]["headers"]:
            return _bus_for(connection, None)
        token = await bearer(connection)
        caller = await _current_user(connection, token)
        return _bus_for(connection, str(caller.user_id), lambda: _current_user(connection, token))


async def _anonymous_bus(connection: HTTPConnection) -> RequestBus:
    return _bus_for(connection, None)


def _bus_for(
    connection: HTTPConnection, user_id: str | None, require_caller: Callable[[], Awaitable[object]] | None = None
) -> RequestBus:
    # As it is in the scope: Starlette makes objects of the state and of the headers, which takes longer.
    scope = connection.scope
    state, bus = scope["state"], scope["app"].state.service.bus
    key = state["headers"].get(b"idempotency-key")
    if scope["type"] == "websocket":
        if key is not None:
            raise BadRequestError("An Idempotency-Key is of one request: send one with each message of a WebSocket.")
        return SocketBus(bus, user_id, state["correlation_id"], state["traceparent"], None, require_caller)
    if key is not None and SANE_KEY.fullmatch(key) is None:
        raise BadRequestError(f"Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters and no spaces.")
    return RequestBus(bus, user_id, state["correlation_id"], state["traceparent"], key and key.decode())


Bus = Annotated[RequestBus, Depends(CallersBus())]
"""The bus; what is sent through it carries the caller, the correlation id and the idempotency key."""

AnonymousBus = Annotated[RequestBus, Depends(_anonymous_bus)]
"""The bus for who proves in the message itself who it is, as at login: a stale token does not stand in the way."""


def takes_keys(dependency: object) -> bool:
    """Whether this dependency gives a bus, which reads the `Idempotency-Key`."""
    return isinstance(dependency, CallersBus) or dependency is _anonymous_bus


@dataclass(frozen=True, slots=True)
class PageOfList:
    """Which part of a list is asked for."""

    page: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Counted from 1.")] = 1
    page_size: Annotated[int, Query(ge=1, le=LARGEST_PAGE_SIZE)] = 20


Page = Annotated[PageOfList, Depends()]
"""Which part of a list is asked for: `page` and `page_size`."""
