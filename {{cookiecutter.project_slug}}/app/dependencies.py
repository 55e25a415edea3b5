"""What endpoints ask for: `bus: Bus`, `user: CurrentUser`, `page: Page`."""

import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request
from fastapi.security import OAuth2PasswordBearer

from app.core.container import RunningService
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
from app.domain.ports import AccessToken, AccessTokens
from app.read_models.pages import LARGEST_PAGE, LARGEST_PAGE_SIZE

R = TypeVar("R")

IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")
bearer = OAuth2PasswordBearer(tokenUrl="/api/auth/login", refreshUrl="/api/auth/refresh", auto_error=False)


@dataclass(frozen=True, slots=True)
class RequestBus:
    """The service's bus, for one request: what is sent through it carries who asked, and for which request."""

    bus: CQRSBus
    user_id: str | None
    correlation_id: str | None
    traceparent: str | None
    idempotency_key: str | None

    def execute_command(self, command: ICommand[R]) -> Coroutine[Any, Any, CommandResult[R]]:
        """Have a command done."""
        self._stamp(command.metadata)
        return self.bus.execute_command(command)

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


async def _service(request: Request) -> RunningService:
    return request.app.state.service  # type: ignore[no-any-return]


Service = Annotated[RunningService, Depends(_service)]
"""The running service: its bus, its container, its settings."""


SentToken = Annotated[str | None, Depends(bearer)]
"""The access token as it was sent; None if there was none."""


async def _read(token: str, request: Request) -> AccessToken:
    """What a token says. One that is no good is never taken for none."""
    tokens: AccessTokens = await request.app.state.service.container.get(AccessTokens)
    return tokens.read(token)


async def _current_user(request: Request, token: SentToken) -> AccessToken:
    if token is None:
        raise AuthenticationError("Sign in first: send an access token as `Authorization: Bearer ...`.")
    return await _read(token, request)


CurrentUser = Annotated[AccessToken, Depends(_current_user)]
"""Who calls; a request without an access token is answered 401."""


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="A name of your own for this request, such as a UUID. Where keys are taken, a request sent "
        "again under its key has no second effect and gets the first answer, with `Idempotency-Replayed: true`. "
        "Another request under that key is refused with 422. What failed may be tried again under its key."
    ),
]
"""The key under which a command takes effect only once."""


def _checked(key: str | None) -> str | None:
    if key is not None and IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise BadRequestError("Idempotency-Key must have 1 to 200 printable ASCII characters and no spaces.")
    return key


# FastAPI takes longer for each dependency of a dependency than the bus for a command: these have few.
async def _bus(request: Request, token: SentToken, idempotency_key: IdempotencyKey = None) -> RequestBus:
    user_id = None if token is None else str((await _read(token, request)).user_id)
    return _request_bus(request, user_id, idempotency_key)


async def _anonymous_bus(request: Request, idempotency_key: IdempotencyKey = None) -> RequestBus:
    return _request_bus(request, None, idempotency_key)


def _request_bus(request: Request, user_id: str | None, key: str | None) -> RequestBus:
    state = request.state
    return RequestBus(request.app.state.service.bus, user_id, state.correlation_id, state.traceparent, _checked(key))


Bus = Annotated[RequestBus, Depends(_bus)]
"""The bus; what is sent through it carries the caller, the correlation id and the idempotency key."""

AnonymousBus = Annotated[RequestBus, Depends(_anonymous_bus)]
"""The bus for who proves in the message itself who it is, as at login: a stale token does not stand in the way."""


@dataclass(frozen=True, slots=True)
class PageOfList:
    """Which part of a list is asked for."""

    page: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Counted from 1.")] = 1
    page_size: Annotated[int, Query(ge=1, le=LARGEST_PAGE_SIZE)] = 20


Page = Annotated[PageOfList, Depends()]
"""Which part of a list is asked for: `page` and `page_size`."""
