"""Dependencies of endpoints, for HTTP and WebSockets: `bus: Bus`, `user: CurrentUser`, `page: Page`."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from app.composition.container import RunningService
from app.core.cqrs import AuthenticationError, BadRequestError
from app.core.request_bus import RequestBus, SocketBus
from app.domain.ports import AccessToken, AccessTokens
from app.persistence.access import OpenLogins
from app.read_models.pages import LARGEST_PAGE, LARGEST_PAGE_SIZE

LONGEST_KEY = 200
"""Of an `Idempotency-Key`, in characters."""
SANE_KEY = re.compile(b"[!-~]{1,%d}" % LONGEST_KEY)
bearer = OAuth2PasswordBearer(tokenUrl="/api/auth/login", refreshUrl="/api/auth/refresh", auto_error=False)


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
"""The caller; the response is 401 without an access token, or with that of a login that has ended."""


class CallersBus(SecurityBase):
    """Gives an endpoint the bus for its caller.

    It reads the headers itself, because each `Depends` or `Header` of FastAPI takes longer than a command takes in the
    bus. It is also the security scheme of the documentation; `app.api.document` documents the key.
    """

    model = bearer.model
    scheme_name = bearer.scheme_name

    async def __call__(self, connection: HTTPConnection) -> RequestBus:
        """The bus for the caller of the access token, if one was sent. An invalid token is refused, not ignored."""
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
    """The bus of a request, or of a WebSocket, which calls `require_caller` before each message."""
    # Read from the scope, where `app.api.edge` puts it: Starlette makes objects of the state and of the headers, which
    # takes longer.
    scope = connection.scope
    state, bus = scope["state"], scope["app"].state.service.bus
    if scope["type"] == "websocket":
        return _socket_bus(connection, user_id, require_caller)
    key = state["headers"].get(b"idempotency-key")
    if key is not None and SANE_KEY.fullmatch(key) is None:
        raise BadRequestError(f"Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters and no spaces.")
    return RequestBus(bus, user_id, state["correlation_id"], state["traceparent"], key and key.decode())


def _socket_bus(
    connection: HTTPConnection, user_id: str | None, require_caller: Callable[[], Awaitable[object]] | None
) -> SocketBus:
    state = connection.scope["state"]
    if b"idempotency-key" in state["headers"]:
        raise BadRequestError("An Idempotency-Key belongs to one request: send one with each message of a WebSocket.")
    bus = connection.app.state.service.bus
    return SocketBus(bus, user_id, state["correlation_id"], state["traceparent"], None, require_caller)


async def socket_caller(websocket: WebSocket, token: str) -> tuple[AccessToken, SocketBus]:
    """The caller of a token that a web page sent as a message, and the bus for it; browsers send no `Authorization`.

    The token is checked as in a request: by this function, and by the bus for each message.

    Args:
        websocket: the WebSocket.
        token: the access token.

    Raises:
        AuthenticationError: if the token is invalid or has expired, or its login has ended. The socket is closed.
    """
    caller = await _current_user(websocket, token)
    return caller, _socket_bus(websocket, str(caller.user_id), lambda: _current_user(websocket, token))


Bus = Annotated[RequestBus, Depends(CallersBus())]
"""The bus; what is sent through it carries the caller, the correlation id and the idempotency key.

Without an access token there is no caller: the handler decides whether it needs one.
"""

AnonymousBus = Annotated[RequestBus, Depends(_anonymous_bus)]
"""The bus for messages that contain their own proof of identity, as at login: an expired token is ignored."""


def takes_keys(dependency: object) -> bool:
    """Whether this dependency provides a bus, which reads the `Idempotency-Key`."""
    return isinstance(dependency, CallersBus) or dependency is _anonymous_bus


def requires_caller(dependency: object) -> bool:
    """Whether this dependency refuses a request without an access token."""
    return dependency is _current_user


def reads_caller(dependency: object) -> bool:
    """Whether this dependency refuses a request with an invalid access token."""
    return isinstance(dependency, CallersBus) or requires_caller(dependency)


Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE_SIZE)]
"""The largest number of items that the caller wants."""


@dataclass(frozen=True, slots=True)
class PageOfList:
    """The requested page of a list."""

    page: int
    page_size: int


async def _page(
    page: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Counted from 1.")] = 1,
    page_size: Annotated[int, Query(ge=1, le=LARGEST_PAGE_SIZE)] = 20,
) -> PageOfList:
    return PageOfList(page, page_size)


Page = Annotated[PageOfList, Depends(_page)]
"""The requested page of a list: `page` and `page_size`."""
