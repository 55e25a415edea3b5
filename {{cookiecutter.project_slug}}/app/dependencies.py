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
        metadata.idempotency_key = self.idempotency_key
        metadata.source = "http"


async def _service(request: Request) -> RunningService:
    return request.app.state.service  # type: ignore[no-any-return]


Service = Annotated[RunningService, Depends(_service)]
"""The running service: its bus, its container, its settings."""


async def _caller(service: Service, token: Annotated[str | None, Depends(bearer)]) -> AccessToken | None:
    """Who calls; nobody, if no token was sent. A token that is no good is never taken for none."""
    if token is None:
        return None
    tokens: AccessTokens = await service.container.get(AccessTokens)
    return tokens.read(token)


Caller = Annotated[AccessToken | None, Depends(_caller)]
"""Who calls, as the access token says; None for somebody who sent none."""


async def _current_user(caller: Caller) -> AccessToken:
    if caller is None:
        raise AuthenticationError("Sign in first: send an access token as `Authorization: Bearer ...`.")
    return caller


CurrentUser = Annotated[AccessToken, Depends(_current_user)]
"""Who calls; a request without an access token is answered 401."""


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A name of your own for this request, such as a UUID. Where keys are taken, a request sent "
            "again under its key has no second effect and gets the first answer, with `Idempotency-Replayed: true`. "
            "Another request under that key is refused with 422. What failed may be tried again under its key."
        ),
    ] = None,
) -> str | None:
    if idempotency_key is not None and IDEMPOTENCY_KEY.fullmatch(idempotency_key) is None:
        raise BadRequestError("Idempotency-Key must have 1 to 200 printable ASCII characters and no spaces.")
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
"""The key under which a command takes effect only once."""


async def _bus(request: Request, service: Service, caller: Caller, key: IdempotencyKey) -> RequestBus:
    user_id = None if caller is None else str(caller.user_id)
    return RequestBus(service.bus, user_id, request.state.correlation_id, key)


Bus = Annotated[RequestBus, Depends(_bus)]
"""The bus; what is sent through it carries the caller, the correlation id and the idempotency key."""


async def _anonymous_bus(request: Request, service: Service, key: IdempotencyKey) -> RequestBus:
    return RequestBus(service.bus, None, request.state.correlation_id, key)


AnonymousBus = Annotated[RequestBus, Depends(_anonymous_bus)]
"""The bus for who proves in the message itself who it is, as at login: a stale token does not stand in the way."""


@dataclass(frozen=True, slots=True)
class PageOfList:
    """Which part of a list is asked for."""

    page: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Counted from 1.")] = 1
    page_size: Annotated[int, Query(ge=1, le=LARGEST_PAGE_SIZE)] = 20


Page = Annotated[PageOfList, Depends()]
"""Which part of a list is asked for: `page` and `page_size`."""
