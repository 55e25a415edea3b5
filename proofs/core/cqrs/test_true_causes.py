"""An error names what is really wrong, and what to do about it."""

from dataclasses import dataclass
from types import new_class
from typing import Any, Generic, TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.composition.wiring import make_container
from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    ConfigurationError,
    CQRSBus,
    DomainEvent,
    ICommand,
    IQuery,
    NextHandler,
    OperationResult,
    PipelineBehavior,
    PolicyError,
    command_handler,
    event_handler,
    query_handler,
    retry_on_failure,
)
from app.core.discovery import Discovered
from app.persistence.repositories.user_repository import UserRepository
from tests.databases import settings_for

T = TypeVar("T")


class Around(PipelineBehavior[ICommand[Any]]):
    async def handle(self, message: Any, next_handler: NextHandler) -> OperationResult[Any]:
        return await next_handler()


class WithSession(Around):
    session: AsyncSession


class WithRepository(Around):
    users: UserRepository


class Unknown: ...


class WithNothing(Around):
    unknown: Unknown


@pytest.mark.parametrize(("behavior", "needed"), [(WithSession, "AsyncSession"), (WithRepository, "UserRepository")])
def test_who_lives_as_long_as_the_service_cannot_have_what_an_operation_has(behavior: Any, needed: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_container(settings_for("sqlite:///x.db"), [Discovered(behaviors=[behavior])])
    said = str(refused.value)
    assert f"{behavior.__name__} lives as long as the service, but needs {needed}" in said
    assert "nobody provides" not in said
    assert "a query of its own through the bus" in said


def test_what_nobody_provides_is_still_told_as_that() -> None:
    with pytest.raises(ConfigurationError, match="WithNothing needs Unknown, which nothing provides"):
        make_container(settings_for("sqlite:///x.db"), [Discovered(behaviors=[WithNothing])])


@dataclass
class Find(IQuery[T], Generic[T]):
    what: str


@dataclass
class Store(ICommand[T], Generic[T]):
    what: str


@dataclass
class Plain(ICommand[None]):
    what: str


@dataclass(frozen=True, kw_only=True)
class Stored(DomainEvent):
    what: str


async def _handle(self: Any, message: Any) -> Any: ...


def handler_of(base: Any, **members: Any) -> Any:
    def fill(namespace: dict[str, Any]) -> None:
        namespace.update({"_handle": _handle, **members})

    return new_class("SomeHandler", (base,), exec_body=fill)


@pytest.mark.parametrize(
    ("declare", "message", "own"),
    [(query_handler, Find[int], "OwnFind(Find["), (command_handler, Store[str], "OwnStore(Store[")],
)
def test_a_generic_message_with_its_arguments_is_no_class(declare: Any, message: Any, own: str) -> None:
    with pytest.raises(PolicyError, match="this is not a class of its own, and messages are told apart") as refused:
        declare(message)
    assert own in str(refused.value)
    register = CQRSBus().register_query_handler if declare is query_handler else CQRSBus().register_command_handler
    with pytest.raises(PolicyError, match="is not a class of its own, and messages are told apart") as refused:
        register(message, handler_of(BaseQueryHandler if declare is query_handler else BaseCommandHandler))
    assert own in str(refused.value)


def test_a_generic_message_has_no_type_of_answer() -> None:
    handler = handler_of(BaseQueryHandler[Find[int], int])
    with pytest.raises(PolicyError, match=r"Find is generic, and does not declare .*`class OwnFind\(Find\[int\]\)`"):
        CQRSBus().register_query_handler(Find, handler)


@pytest.mark.parametrize(
    ("declare", "message", "sentence"),
    [
        (command_handler, Stored, r"Stored does not inherit ICommand: write @event_handler\(Stored\)"),
        (query_handler, Plain, r"Plain does not inherit IQuery: write @command_handler\(Plain\)"),
        (event_handler, Plain, r"Plain does not inherit DomainEvent: write @command_handler\(Plain\)"),
        (command_handler, str, "str does not inherit ICommand: derive it from ICommand"),
        (command_handler, Plain("x"), "needs the class of a message, not an instance of Plain"),
        (event_handler, "Stored", "needs the class of a message, not an instance of str"),
    ],
)
def test_a_decorator_of_the_wrong_kind_names_the_right_one(declare: Any, message: Any, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        declare(message)


@pytest.mark.parametrize(
    ("base", "members", "sentence"),
    [
        (BaseQueryHandler, {}, "SomeHandler is registered for a message of another kind .* BaseCommandHandler"),
        (BaseCommandHandler, {"_get_pagination_info": _handle}, "_get_pagination_info is never called: .* query"),
        (BaseCommandHandler, {"_get_cached_result": _handle}, "_get_cached_result is never called: .* query"),
        (BaseCommandHandler, {"_get_affected_entities": lambda *_: {}}, "is awaited: write `async def _get_aff"),
    ],
)
def test_a_handler_with_the_base_or_hooks_of_another_kind_is_refused(base: Any, members: Any, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        CQRSBus().register_command_handler(Plain, handler_of(base, **members))


def test_a_query_and_an_event_too() -> None:
    with pytest.raises(
        PolicyError, match="of another kind than its base class is for: derive it from BaseQueryHandler"
    ):
        CQRSBus().register_query_handler(Find, handler_of(BaseCommandHandler))
    with pytest.raises(PolicyError, match="derive it from BaseEventHandler, because it handles an event"):
        CQRSBus().register_event_handler(Stored, handler_of(BaseCommandHandler))
    with pytest.raises(PolicyError, match="_get_affected_entities is never called: it is a hook of command handlers"):
        CQRSBus().register_query_handler(Find, handler_of(BaseQueryHandler, _get_affected_entities=_handle))
    with pytest.raises(PolicyError, match="_cache_result is awaited: write `async def _cache_result"):
        CQRSBus().register_query_handler(Find, handler_of(BaseQueryHandler, _cache_result=lambda *_: None))


def test_retries_of_a_reaction_in_somebody_elses_transaction_are_refused() -> None:
    handler = retry_on_failure()(handler_of(BaseEventHandler[Stored]))
    CQRSBus().register(event_handler(Stored)(handler))
    with pytest.raises(PolicyError, match="@retry_on_failure does nothing in somebody else's transaction"):
        CQRSBus().register(event_handler(Stored, in_transaction=True)(handler))
