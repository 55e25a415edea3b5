"""Handlers that a test makes up, the events they are for, and what they did: for services on one database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert

from app.composition import container
from app.composition.container import HANDLERS, RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import (
    BaseEventHandler,
    CQRSBus,
    DomainEvent,
    EventRecord,
    OperationMetadata,
    RaisedEvent,
    event_handler,
)
from app.core.cqrs.plan import declared_handlers
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.events.stored_event import row_of
from tests.core.cqrs.support import PATIENCE
from tests.lifespan import no_more


@dataclass(frozen=True, kw_only=True)
class Priced(DomainEvent):
    """An article has a price."""

    article: str = "1"
    price: int


@dataclass(frozen=True, kw_only=True)
class PricedElsewhere(DomainEvent):
    """An article of another service has a price."""

    event_source = "others"
    event_type = "PricedElsewhere"

    article: str = "1"
    price: int


Done = tuple[str, str, int]
"""A handler, an article and its price."""


class Journal:
    """What handlers did, in this order."""

    def __init__(self) -> None:
        self.begun: list[Done] = []
        self.done: list[Done] = []
        self._changed = asyncio.Event()

    def of(self, handler: str, article: str = "1") -> list[int]:
        """The prices that a handler has had of an article."""
        return [price for by, about, price in self.done if (by, about) == (handler, article)]

    def note(self, handler: str, event: Any, *, done: bool) -> None:
        """A handler has begun with an event, or is done with it."""
        (self.done if done else self.begun).append((handler, event.article, event.price))
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds of what was noted."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


Do = Callable[[Any], Awaitable[None]]


async def nothing(event: Any) -> None:
    """Be done at once."""


def reaction(
    name: str,
    journal: Journal,
    do: Do = nothing,
    /,
    *decorators: Callable[[Any], Any],
    event: type[DomainEvent] = Priced,
    **declared: Any,
) -> Any:
    """A handler whose class has this name, and which is known to nobody but who registers it."""

    async def _handle(self: Any, event: Any) -> None:
        journal.note(name, event, done=False)
        await do(event)
        journal.note(name, event, done=True)

    handler: Any = type(name, (BaseEventHandler,), {"_handle": _handle})
    for decorator in decorators:
        handler = decorator(handler)
    handler = event_handler(event, **declared)(handler)
    declared_handlers.remove(handler)
    return handler()


async def tell(database: Database, *events: Priced) -> None:
    """Put events into the log, as commands do: each article is an aggregate, and its price the version."""
    raised = [RaisedEvent(event, "Article", event.article, event.price) for event in events]
    rows = [row_of(EventRecord(one, OperationMetadata())) for one in raised]
    async with database.writing() as session, session.begin():
        await session.execute(insert(event_log), rows)


@asynccontextmanager
async def services(settings: Settings, workers: Sequence[bool], *handlers: Any) -> AsyncIterator[list[RunningService]]:
    """Services and workers on one database, each with all of these handlers."""
    few = {"database_pool_size": 3, "database_pool_timeout_seconds": PATIENCE, "relay_poll_seconds": 0.05}
    often = settings.model_copy(update={"event_retry_seconds": 0.01, "event_max_attempts": 2, **few})
    made = container.make_bus

    async def make_bus(*given: Any) -> CQRSBus:
        bus = await made(*given)
        for handler in handlers:
            (declaration,) = type(handler).__handles__
            bus.register_event_handler(declaration.message_type, handler)
        return bus

    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(container, "make_bus", make_bus)
        running = [
            await stack.enter_async_context(running_service(often, (HANDLERS, __name__), worker=worker))
            for worker in workers
        ]
        yield running
        for service in running:
            service.bus.delivery.finish = no_more  # type: ignore[method-assign]
