"""Reactions run once for an event, and do not raise events for each other without an end."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSError, DomainEvent, ICommand, event_handler, transactional
from app.core.cqrs.events import EventRecord, RaisedEvent
from app.core.cqrs.handlers import BaseEventHandler
from app.core.cqrs.operation import OperationMetadata
from app.core.cqrs.testing import MemoryBus
from app.persistence.events.stored_event import StoredEvent, row_of
from tests.core.cqrs.support import handler_of


@dataclass(frozen=True, kw_only=True)
class Happened(DomainEvent):
    """The base."""

    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Grew(Happened):
    """What derives from it."""


@dataclass
class Begin(ICommand[None]):
    """Publish one event."""

    event: DomainEvent


async def begin(message: Any) -> None:
    """Publish it."""
    from app.core.cqrs.operation import current_bus

    await current_bus().publish_event(message.event)


def counting(*events: type[DomainEvent], in_transaction: bool) -> tuple[type[Any], list[DomainEvent]]:
    """A handler that is declared for these, and what it got."""
    got: list[DomainEvent] = []

    class CountingHandler(BaseEventHandler[DomainEvent]):
        """Notes what it gets."""

        async def _handle(self, event: DomainEvent) -> None:
            got.append(event)

    for event in events:
        event_handler(event, in_transaction=in_transaction)(CountingHandler)
    return CountingHandler, got


@pytest.mark.parametrize("in_transaction", [True, False])
@pytest.mark.parametrize("events", [(Happened, Grew), (Grew, Happened), (DomainEvent, Grew)])
async def test_who_is_declared_for_a_base_and_what_derives_from_it_gets_each_event_once(
    in_transaction: bool, events: tuple[type[DomainEvent], ...]
) -> None:
    handler, got = counting(*events, in_transaction=in_transaction)
    bus = MemoryBus(handler, handler_of(Begin, begin, transactional()))
    await bus.execute_command(Begin(Grew()))
    await bus.settled()
    await bus.publish_event(Grew())
    await bus.settled()
    assert len(got) == 2


async def test_the_nearest_declaration_decides() -> None:
    handler, got = counting(Happened, in_transaction=False)
    handler = event_handler(Grew, in_transaction=True)(handler)  # type: ignore[arg-type]
    bus = MemoryBus(handler, handler_of(Begin, begin, transactional()))
    await bus.execute_command(Begin(Grew()))
    assert len(got) == 1, "it is in the transaction"


# Circles

MORE_THAN_ALLOWED = 50
"""So that a circle which nobody ends is a failed test, and not one that hangs."""


class AgainHandler(BaseEventHandler[Happened]):
    """Publishes the next."""

    got = 0

    async def _handle(self, event: Happened) -> None:
        type(self).got += 1
        if type(self).got < MORE_THAN_ALLOWED:
            await self.bus.publish_event(Happened(number=event.number + 1))


def going_round() -> type[AgainHandler]:
    """A reaction that raises an event for itself."""

    @event_handler(Happened)
    @transactional()
    class AgainAndAgainHandler(AgainHandler):
        """Again."""

        got = 0

    return AgainAndAgainHandler


async def test_a_circle_ends_after_so_many_steps_in_memory() -> None:
    again = going_round()
    bus = MemoryBus(again, handler_of(Begin, begin, transactional()))
    bus.event_max_steps = 5
    await bus.execute_command(Begin(Happened()))
    async with asyncio.timeout(10):
        await bus.settled()
    assert again.got == 5
    assert [event.number for event in bus.units.events] == [0, 1, 2, 3, 4]  # type: ignore[attr-defined]


async def test_a_circle_through_commands_ends_too() -> None:
    @event_handler(Happened)
    class SendingHandler(BaseEventHandler[Happened]):
        """Sends a command that publishes the next."""

        got = 0

        async def _handle(self, event: Happened) -> None:
            SendingHandler.got += 1
            if type(self).got < MORE_THAN_ALLOWED:
                await self.bus.execute_command(Begin(Happened(number=event.number + 1)))

    bus = MemoryBus(SendingHandler, handler_of(Begin, begin, transactional()))
    bus.event_max_steps = 3
    await bus.execute_command(Begin(Happened()))
    async with asyncio.timeout(10):
        await bus.settled()
    assert SendingHandler.got == 3


def test_the_steps_are_stored_with_the_event() -> None:
    record = EventRecord(RaisedEvent(Happened()), OperationMetadata(depth=7))
    stored = StoredEvent(**row_of(record))
    assert stored.metadata["depth"] == 7
    assert stored.operation().depth == 8
    assert stored.operation().caused().depth == 8
    older = replace(stored, metadata={})
    assert older.operation().depth == 1, "of an older release"


async def test_what_an_event_of_the_last_step_leads_to_is_refused_and_says_why(service: RunningService) -> None:
    service.bus.event_max_steps = 2
    service.bus.register_command_handler(Begin, handler_of(Begin, begin, transactional())())
    allowed, refused = Begin(Happened()), Begin(Happened())
    allowed.metadata.depth, refused.metadata.depth = 1, 2
    assert (await service.bus.execute_command(allowed)).is_success
    with pytest.raises(CQRSError, match="go round in circles"):
        (await service.bus.execute_command(refused)).unwrap()
