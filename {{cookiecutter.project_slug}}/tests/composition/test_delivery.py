"""From the commit to the handlers: in the service, in a worker, and between services by way of a broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from app.composition import delivery
from app.composition.cloud_events import encode
from app.composition.container import RunningService, running_service
from app.core.broker import EventMessage, Receive
from app.core.config import Settings
from app.core.cqrs import BaseEventHandler, DomainEvent, EventRecord, OperationMetadata, RaisedEvent, event_handler
from app.domain.user_events import UserCreated
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions, received_events
from app.persistence.events.stored_event import row_of
from app.persistence.tables import notifications
from tests.core.cqrs.support import within_patience
from tests.events import event_of, let_wait
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

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that nobody has taken."""
        return not self._waiting.empty()

    async def is_empty(self) -> None:
        """Wait until everything was handed over."""
        await self._waiting.join()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    return broker_of_all(monkeypatch)


def broker_of_all(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """The broker of all services of the test."""
    memory = MemoryBroker()

    @asynccontextmanager
    async def open_broker(settings: Settings) -> AsyncIterator[MemoryBroker]:
        yield memory

    monkeypatch.setattr(delivery, "open_broker", open_broker)
    return memory


async def waiting_in(database: Database) -> list[Any]:
    """What was not handed out to handlers, or waits for one."""
    async with database.reading() as session:
        new = (await session.execute(select(event_log.c.id).where(event_log.c.published_at.is_(None)))).all()
        return [*new, *(await session.execute(select(reactions))).all()]


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


async def test_reactions_know_the_operation_that_led_to_them(settings: Settings) -> None:
    known: list[OperationMetadata] = []

    class NoteOperationHandler(BaseEventHandler[UserCreated]):
        async def _handle(self, event: UserCreated) -> None:
            known.append(self.record.metadata)

    async with running_service(settings, worker=True) as worker:
        worker.bus.register_event_handlers({UserCreated: [NoteOperationHandler()]})
        command = create_user()
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        command.metadata.correlation_id, command.metadata.traceparent = "c-1", trace
        (await worker.bus.execute_command(command)).unwrap()
        await within_patience(worker.bus.settled())
    (operation,) = known
    assert (operation.operation_id, operation.correlation_id) == (command.metadata.operation_id, "c-1")
    assert operation.traceparent == trace


@dataclass(frozen=True, kw_only=True)
class ToldToAll(DomainEvent):
    """An event that other services hear of."""

    public: ClassVar[bool] = True

    what: str = "this"


@dataclass(frozen=True, kw_only=True)
class ToldByOthers(DomainEvent):
    """An event of another service."""

    event_source = "others"

    what: str


async def tell(service: RunningService, *events: DomainEvent, traceparent: str | None = None) -> None:
    """Put events of one aggregate into the log, as a command does."""
    database = await service.container.get(Database)
    operation = OperationMetadata(traceparent=traceparent)
    rows = [
        row_of(EventRecord(RaisedEvent(event, "Thing", "1", version), operation))
        for version, event in enumerate(events, start=1)
    ]
    async with database.writing() as session, session.begin():
        await session.execute(insert(event_log), rows)


HERE = ("app.handlers", __name__)


async def test_what_is_public_goes_to_the_broker_and_nothing_else_does(
    settings: Settings, broker: MemoryBroker
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with running_service(settings, HERE) as service:
        (await service.bus.execute_command(create_user())).unwrap()
        await tell(service, ToldToAll(), ToldToAll(what="that"), traceparent=trace)
        await within_patience(service.bus.settled())
        first, second = broker.published
        said = json.loads(second.body)
        assert (said["type"], said["source"]) == (f"{settings.service_name}.ToldToAll", settings.service_name)
        assert (said["subject"], int(said["sequence"]), int(said["previous"])) == ("Thing/1", 2, 1)
        assert (said["data"], said["traceparent"]) == ({"what": "that"}, trace)
        assert (first.key, first.event_type, first.traceparent) == ("Thing:1", "ToldToAll", trace)
        assert len(await rows_of(service, notifications)) == 1, "own handlers have own events from the log"
        assert await rows_of(service, received_events) == [], "what comes back is passed over"


told: list[str] = []


@event_handler(ToldByOthers, name="hear")
class HearOthersHandler(BaseEventHandler[ToldByOthers]):
    """Notes what it hears."""

    async def _handle(self, event: ToldByOthers) -> None:
        told.append(event.what)


@pytest.mark.parametrize("worker", [True, False])
async def test_what_others_tell_is_heard_once_and_in_order(
    settings: Settings, broker: MemoryBroker, worker: bool
) -> None:
    told.clear()
    broker.times = 3
    async with running_service(settings, HERE, worker=worker) as service:
        for version, previous in ((2, 1), (1, None), (3, 2)):
            body = encode(
                event_of("1", version, event_type="ToldByOthers", payload={"what": str(version)}), "others", previous
            )
            await broker.publish(EventMessage(str(version), "Thing:1", "ToldByOthers", body))
        await within_patience(broker.is_empty())
        await within_patience(service.bus.settled())
        assert told == ["1", "2", "3"]
        assert [row.handler for row in await rows_of(service, inbox)] == ["hear"] * 3


async def test_a_service_without_relay_hears_nothing(settings: Settings, broker: MemoryBroker) -> None:
    async with running_service(settings.model_copy(update={"relay_in_service": False}), HERE):
        await broker.publish(EventMessage("1", "1", "ToldByOthers", b"{}"))
        assert broker.is_waiting


async def test_who_starts_is_told_what_waits_for_handlers_that_are_gone(settings: Settings, database: Database) -> None:
    await let_wait(database, event_of("1", 1), handler="RenamedHandler")
    with capture_logs() as logs:
        async with running_service(settings):
            pass
    (line,) = (line for line in logs if line["event"] == "events_wait_for_handlers_that_are_gone")
    assert line["handlers"] == {"RenamedHandler": 1}
    assert "app outbox purge --handler" in line["what_to_do"]


async def test_nobody_is_told_of_handlers_that_are_here(settings: Settings, database: Database) -> None:
    await let_wait(database, event_of("1", 1), handler="hear")
    with capture_logs() as logs:
        async with running_service(settings, HERE):
            pass
    assert "events_wait_for_handlers_that_are_gone" not in [line["event"] for line in logs]


@pytest.mark.parametrize("handlers", [HERE, ("app.handlers",)])
async def test_who_starts_without_a_broker_is_told_whose_events_nobody_brings(
    settings: Settings, handlers: Sequence[str]
) -> None:
    with capture_logs() as logs:
        async with running_service(settings, handlers):
            pass
    told = [line for line in logs if line["event"] == "events_of_others_are_not_heard"]
    assert ("others" in [name for line in told for name in line["services"]]) is (handlers is HERE)
    assert all("BROKER_URL" in line["what_to_do"] for line in told)


async def test_nobody_is_told_so_with_a_broker(settings: Settings, broker: MemoryBroker) -> None:
    with capture_logs() as logs:
        async with running_service(settings, HERE):
            pass
    assert "events_of_others_are_not_heard" not in [line["event"] for line in logs]


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
    assert sorted(told) == ["mail", "sms"]
    assert [name.rpartition("Tell")[2] for name in sorted(names)] == ["", "#2"]
