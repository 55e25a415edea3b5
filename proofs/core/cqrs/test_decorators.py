"""A decorator protects a handler or is refused: on anything else, or without its parentheses, it would do nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    DomainEvent,
    ICommand,
    IQuery,
    NextHandler,
    OperationResult,
    PipelineBehavior,
    PolicyError,
    authorize,
    cached_query,
    command_handler,
    event_handler,
    idempotent,
    invalidates,
    query_handler,
    retry_on_failure,
    transactional,
    validate_input,
)


@dataclass(frozen=True)
class CloseAccount(ICommand[None]):
    owner: str


@dataclass(frozen=True)
class ReadAccount(IQuery[str]):
    owner: str


@dataclass(frozen=True, kw_only=True)
class AccountClosed(DomainEvent):
    owner: str


class CloseAccountHandler(BaseCommandHandler[CloseAccount, None]):
    async def _handle(self, command: CloseAccount) -> None: ...


class Around(PipelineBehavior[CloseAccount]):
    async def handle(self, message: CloseAccount, next_handler: NextHandler) -> OperationResult[Any]:
        return await next_handler()


async def close_account(command: CloseAccount) -> None: ...


DECORATORS: dict[str, Callable[[Any], Any]] = {
    "authorize": authorize(["account:close"]),
    "cached_query": cached_query(60),
    "idempotent": idempotent(),
    "invalidates": invalidates("accounts"),
    "retry_on_failure": retry_on_failure(),
    "transactional": transactional(),
    "validate_input": validate_input(lambda _: {}),
    "command_handler": command_handler(CloseAccount),
    "query_handler": query_handler(ReadAccount),
    "event_handler": event_handler(AccountClosed),
}
NO_HANDLERS = {
    "CloseAccount": CloseAccount,
    "ReadAccount": ReadAccount,
    "AccountClosed": AccountClosed,
    "Around": Around,
    "the function close_account": close_account,
    "the function CloseAccountHandler._handle": CloseAccountHandler._handle,
    "an instance of CloseAccountHandler": CloseAccountHandler(),
    "an instance of Around": Around(),
}
BARE: dict[str, Callable[[Any], Any]] = {
    "@authorize": authorize,
    "@cached_query": cached_query,
    "@idempotent": idempotent,
    "@invalidates": invalidates,
    "@retry_on_failure": retry_on_failure,
    "@transactional": transactional,
    "@validate_input": validate_input,
    "@command_handler": command_handler,
    "@query_handler": query_handler,
    "@event_handler": event_handler,
}


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("called", NO_HANDLERS)
def test_on_what_is_no_handler_a_decorator_is_refused(decorator: str, called: str) -> None:
    target: Any = NO_HANDLERS[called]
    with pytest.raises(PolicyError) as refused:
        DECORATORS[decorator](target)
    assert f"@{decorator} is on {called}, which is not a handler class" in str(refused.value)
    assert "put it on the class with `_handle`" in str(refused.value)
    assert not hasattr(target, "__policies__")


@pytest.mark.parametrize("decorator", BARE)
def test_without_parentheses_a_decorator_is_refused(decorator: str) -> None:
    with pytest.raises(PolicyError) as refused:
        BARE[decorator](CloseAccountHandler)
    assert f"{decorator} on CloseAccountHandler has no parentheses: write {decorator}(" in str(refused.value)


@pytest.mark.parametrize("decorator", [name for name in DECORATORS if not name.endswith("_handler")])
def test_on_a_handler_it_returns_that_class(decorator: str) -> None:
    class Handler(BaseCommandHandler[CloseAccount, None]):
        async def _handle(self, command: CloseAccount) -> None: ...

    assert DECORATORS[decorator](Handler) is Handler
    assert len(vars(Handler)["__policies__"]) == 1
