"""Messages and handlers that many tests use; a test with a story of its own has its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    DomainEvent,
    Grants,
    ICommand,
    IQuery,
    command_handler,
    event_handler,
    query_handler,
)

T = TypeVar("T")
M = TypeVar("M", bound=ICommand[Any] | IQuery[Any])
PATIENCE = 20.0
"""For how many seconds a test waits for something that happens at once when all is well."""


@dataclass
class Do(ICommand[str]):
    """A command with a few fields."""

    what: str = "this"
    owner: str | None = None

    def validate(self) -> dict[str, str]:
        return {} if self.what else {"what": "is empty"}


@dataclass
class DoMore(ICommand[str]):
    """Another command, sent by the handler of the first."""

    what: str = "that"


@dataclass
class Ask(IQuery[str | None]):
    """A query with a few fields."""

    about: str = "this"
    page: int = 1
    owner: str | None = None

    def validate(self) -> dict[str, str]:
        return {} if self.about else {"about": "is empty"}


@dataclass(frozen=True)
class Happened(DomainEvent):
    """An event."""

    what: str = "this"


@dataclass(frozen=True)
class HappenedToo(DomainEvent):
    """Another event."""

    what: str = "that"


class Thing(AggregateRoot):
    """An aggregate to which things happen."""

    def __init__(self, thing_id: str) -> None:
        self.id = thing_id

    def change(self, what: str = "this") -> None:
        self.raise_event(Happened(what=what))


def handler_of(
    message_type: type[Any], handle: Callable[[Any], Any], *decorators: Callable[[Any], Any], **more: Any
) -> Any:
    """A handler class that does what the function does, under these decorators, outermost first.

    `more` holds hooks by name; the others go to `command_handler`, `query_handler` or `event_handler`.
    """

    async def _handle(self: Any, message: Any) -> Any:
        answer = handle(message)
        return await answer if isinstance(answer, Awaitable) else answer

    hooks = {name: more.pop(name) for name in list(more) if name.startswith("_")}
    base, declare = _sort_of(message_type)
    handler = type(f"{message_type.__name__}Handler", (base,), {"_handle": _handle, **hooks})
    for decorator in reversed(decorators):
        handler = decorator(handler)
    return declare(message_type, **more)(handler)


def _sort_of(message_type: type[Any]) -> tuple[Any, Any]:
    if issubclass(message_type, ICommand):
        return BaseCommandHandler, command_handler
    if issubclass(message_type, IQuery):
        return BaseQueryHandler, query_handler
    return BaseEventHandler, event_handler


def sent_by(user_id: str | None, message: M, **metadata: Any) -> M:
    """The message as this user sends it."""
    message.metadata.user_id = user_id
    for name, value in metadata.items():
        setattr(message.metadata, name, value)
    return message


def raising(error: BaseException) -> Callable[[Any], Any]:
    """A handler's work that fails with this error."""

    def handle(_: Any) -> Any:
        raise error

    return handle


def may(*permissions: str, is_admin: bool = False) -> Grants:
    """What a user may do."""
    return Grants(frozenset(permissions), is_admin)


async def forever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def within_patience(awaitable: Awaitable[T]) -> T:
    """The outcome, or a failed test instead of one that hangs."""
    async with asyncio.timeout(PATIENCE):
        return await awaitable


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """What all of them return, run at the same time."""
    return await within_patience(asyncio.gather(*coroutines))
