"""From the commit to the reaction: in the service, in a worker, and by way of a broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, delete, select

from app.core import delivery
from app.core.broker import EventMessage, Receive
from app.core.config import Settings
from app.core.container import RunningService, running_service
from app.core.cqrs import BaseEventHandler
from app.core.cqrs.ids import uuid7
from app.domain.user_events import UserCreated
from app.persistence.database import Database
from app.persistence.outbox import Outbox
from app.persistence.stored_event import StoredEvent
from app.persistence.tables import event_log, inbox, notifications, parked_events
from tests.core.cqrs.support import within_patience
from tests.rows import rows_of
from tests.users import create_user


class MemoryBroker:
    """Keeps messages for whoever consumes, and can be told to deliver them twice."""

    def __init__(self) -> None:
        self.published: list[EventMessage] = []
        self.times = 1
        self._waiting: asyncio.Queue[EventMessage] = asyncio.Queue()

    async def publish(self, message: EventMessage) -> None:
        """Keep a message."""
        self.published.append(message)
        for _ in range(self.times):
            self._waiting.put_nowait(message)

    @asynccontextmanager
    async def consuming(self, receive: Receive) -> AsyncIterator[None]:
        """Hand messages over, one after the other."""

        async def hand_over() -> None:
            while True:
                await receive(await self._waiting.get())
                self._waiting.task_done()

        task = asyncio.create_task(hand_over())
        yield
        task.cancel()
        await asyncio.wait([task])

    async def is_empty(self) -> None:
        """Wait until everything was handed over."""
        await self._waiting.join()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """The broker of all services of the test."""
    memory = MemoryBroker()

    @asynccontextmanager
    async def open_broker(settings: Settings) -> AsyncIterator[MemoryBroker]:
        yield memory

    monkeypatch.setattr(delivery, "open_broker", open_broker)
    return memory


async def waiting_in(database: Database, table: Table = event_log) -> list[Any]:
    """What waits in a table."""
    async with database.reading() as session:
        return list((await session.execute(select(table).where(table.c.published_at.is_(None)))).all())


async def nothing_waits(database: Database, table: Table) -> None:
    """Wait until nothing waits in a table."""
    while await waiting_in(database, table):
        pass


async def welcomed(service: RunningService, times: int) -> None:
    """Wait until so many welcomes were sent."""

    async def sent() -> None:
        while len(await rows_of(service, notifications)) < times:
            await service.bus.settled()

    await within_patience(sent())


async def test_without_a_broker_reactions_run_here(service: RunningService, database: Database) -> None:
    (await service.bus.execute_command(create_user())).unwrap()
    await within_patience(service.bus.settled())
    assert len(await rows_of(service, notifications)) == 1
    assert await waiting_in(database) == []


async def test_a_service_without_relay_leaves_events_to_a_worker_and_wakes_it(
    settings: Settings, database: Database
) -> None:
    without = settings.model_copy(update={"relay_in_service": False})
    patient = settings.model_copy(update={"relay_poll_seconds": 0.1 if database.is_sqlite else 60.0})
    async with running_service(without) as service:
        (await service.bus.execute_command(create_user())).unwrap()
        await within_patience(service.bus.settled())
        assert len(await waiting_in(database)) == 1
        assert await rows_of(service, notifications) == []
        async with running_service(patient, worker=True) as worker:
            await welcomed(worker, 1)
            (await service.bus.execute_command(create_user(email="bob@example.org", username="bob"))).unwrap()
            await welcomed(service, 2)


async def test_with_a_broker_reactions_run_in_workers_alone(
    settings: Settings, database: Database, broker: MemoryBroker
) -> None:
    async with running_service(settings) as service:
        command = create_user()
        command.metadata.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        user_id = (await service.bus.execute_command(command)).unwrap()
        await within_patience(service.bus.settled())
        (message,) = broker.published
        (row,) = await rows_of(service, event_log)
        assert (message.id, message.key, message.event_type) == (str(row.id), f"User:{user_id}", "UserCreated")
        assert row.published_at is not None
        assert message.traceparent == command.metadata.traceparent
        assert await rows_of(service, notifications) == []
    async with running_service(settings, worker=True) as worker:
        await within_patience(broker.is_empty())
        assert len(await rows_of(worker, notifications)) == 1


async def test_a_message_that_comes_twice_has_one_effect(settings: Settings, broker: MemoryBroker) -> None:
    broker.times = 3
    async with running_service(settings, worker=True) as worker:
        (await worker.bus.execute_command(create_user())).unwrap()
        await within_patience(worker.bus.settled())
        await within_patience(broker.is_empty())
        assert len(await rows_of(worker, notifications)) == 1
        assert len(await rows_of(worker, inbox)) == 2


async def test_an_event_of_ours_without_a_class_is_parked_and_one_of_others_passed_over(
    settings: Settings, database: Database, broker: MemoryBroker
) -> None:
    async with running_service(settings, worker=True) as worker:
        (await worker.bus.execute_command(create_user())).unwrap()
        await within_patience(worker.bus.settled())
        await within_patience(broker.is_empty())
        sent = StoredEvent.from_json(broker.published[0].body)
        ours, others = replace(sent, event_type="UserMoved"), replace(sent, id=uuid7(), event_type="InvoicePaid")
        for event in (ours, others):
            await broker.publish(EventMessage(str(event.id), event.key, event.event_type, event.to_json()))
        await within_patience(broker.is_empty())
        (parked,) = await rows_of(worker, parked_events)
        assert (parked.id, parked.dead) == (ours.id, False)
        assert "No class reads the event UserMoved" in parked.last_error


async def test_what_is_parked_is_tried_again_by_the_worker(
    settings: Settings, database: Database, broker: MemoryBroker
) -> None:
    async with running_service(settings, worker=True) as worker:
        (await worker.bus.execute_command(create_user())).unwrap()
        await within_patience(worker.bus.settled())
        await within_patience(broker.is_empty())
        sent = StoredEvent.from_json(broker.published[0].body)
        async with database.writing() as session, session.begin():
            await session.execute(delete(inbox))
            await session.execute(delete(notifications))
        await Outbox(database, parked_events, 10, 0).put(sent, ValueError("It failed before."))
        await broker.publish(broker.published[0])  # arrives behind itself, and wakes nobody
        await welcomed(worker, 1)
        await within_patience(nothing_waits(database, parked_events))


async def test_reactions_know_the_operation_that_led_to_them(settings: Settings, broker: MemoryBroker) -> None:
    async with running_service(settings, worker=True) as worker:
        command = create_user()
        command.metadata.correlation_id, command.metadata.traceparent = "c-1", "00-1-2-01"
        (await worker.bus.execute_command(command)).unwrap()
        await within_patience(worker.bus.settled())
        sent = StoredEvent.from_json(broker.published[0].body)
    assert sent.metadata["operation_id"] == command.metadata.operation_id
    assert sent.metadata["correlation_id"] == "c-1"
    assert sent.metadata["traceparent"] == "00-1-2-01"


async def test_the_smallest_pool_is_enough(settings: Settings) -> None:
    smallest = settings.model_copy(update={"database_pool_size": 1})
    async with running_service(smallest) as service:
        (await service.bus.execute_command(create_user())).unwrap()
        await welcomed(service, 1)


async def test_two_handlers_of_one_class_both_react(settings: Settings) -> None:
    told: list[str] = []

    class Tell(BaseEventHandler[UserCreated]):
        def __init__(self, by: str) -> None:
            self.by = by

        async def _handle(self, event: UserCreated) -> None:
            told.append(self.by)

    async with running_service(settings) as service:
        mail = Tell("mail")
        service.bus.register_event_handlers({UserCreated: [mail, Tell("sms"), mail]})  # one of them twice
        (await service.bus.execute_command(create_user())).unwrap()
        await within_patience(service.bus.settled())
        names = [row.handler for row in await rows_of(service, inbox) if "Tell" in row.handler]
    assert told == ["mail", "sms"]
    assert [name.rpartition("Tell")[2] for name in sorted(names)] == ["", "#2"]
