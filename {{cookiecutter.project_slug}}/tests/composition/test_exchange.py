"""Public events go to the broker, and those of other services come from it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from app.composition.cloud_events import encode
from app.composition.container import RunningService, running_service
from app.core.broker import EventMessage
from app.core.config import Settings
from app.core.cqrs import BaseEventHandler, DomainEvent, EventRecord, OperationMetadata, RaisedEvent, event_handler
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, received_events
from app.persistence.events import batches, resending
from app.persistence.events.outbox_statements import BROKER
from app.persistence.events.reaction import Outcome
from app.persistence.events.stored_event import row_of
from tests.composition.memory_broker import MemoryBroker, broker_of_all
from tests.core.cqrs.support import within_patience
from tests.events import claim, event_of, outbox_of
from tests.rows import notices_of, rows_of
from tests.users import create_user

HERE = ("app.handlers", __name__)
told: list[str] = []


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    return broker_of_all(monkeypatch)


@dataclass(frozen=True, kw_only=True)
class ToldToAll(DomainEvent):
    """An event that other services hear of."""

    public: ClassVar[bool] = True

    what: str = "this"


@dataclass(frozen=True, kw_only=True)
class ToldByOthers(DomainEvent):
    """An event of another service."""

    event_source = "others"
    event_type = "ToldByOthers"

    what: str


@event_handler(ToldByOthers, name="hear")
class HearOthersHandler(BaseEventHandler[ToldByOthers]):
    """Notes what it hears."""

    async def _handle(self, event: ToldByOthers) -> None:
        told.append(event.what)


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
        assert len(await notices_of(service, "welcome")) == 1, "own handlers have own events from the log"
        assert await rows_of(service, received_events) == [], "what comes back is passed over"


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


async def test_what_was_sent_is_sent_again_in_order_and_own_handlers_get_it_once(
    settings: Settings, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    began = datetime.now(UTC)
    async with running_service(settings, HERE) as service:
        (await service.bus.execute_command(create_user())).unwrap()
        await tell(service, *(ToldToAll(what=str(number)) for number in range(5)))
        await within_patience(service.bus.settled())
        database, first = await service.container.get(Database), list(broker.published)
        for since, until, types in (
            (datetime.now(UTC), datetime.max.replace(tzinfo=UTC), ["ToldToAll"]),
            (began, began, ["ToldToAll"]),
            (began, datetime.now(UTC), ["Unknown"]),
        ):
            assert await resending.resend(database, types, since, until) == 0
        assert await resending.resend(database, ["ToldToAll"], began, datetime.now(UTC)) == 5
        await within_patience(service.bus.settled())
        assert broker.published == [*first, *first]
        assert len(first) == 5
        assert len(await notices_of(service, "welcome")) == 1


async def test_what_waits_to_be_sent_is_not_sent_twice(settings: Settings, broker: MemoryBroker) -> None:
    began = datetime.now(UTC)
    async with running_service(settings.model_copy(update={"relay_in_service": False}), HERE) as service:
        await tell(service, ToldToAll(), ToldToAll())
        database = await service.container.get(Database)
        assert await resending.resend(database, ["ToldToAll"], began, datetime.now(UTC)) == 0
        outbox = outbox_of(database, BROKER, events=("ToldToAll",))
        (first,) = await claim(outbox, BROKER)
        assert await resending.resend(database, ["ToldToAll"], began, datetime.now(UTC)) == 0
        second = await outbox.turn([Outcome(first)], {BROKER: 9})
        assert await resending.resend(database, ["ToldToAll"], began, datetime.now(UTC)) == 1
        assert [claimed.event.version for claimed in (first, *second)] == [1, 2]


async def test_a_service_without_relay_hears_nothing(settings: Settings, broker: MemoryBroker) -> None:
    async with running_service(settings.model_copy(update={"relay_in_service": False}), HERE):
        await broker.publish(EventMessage("1", "1", "ToldByOthers", b"{}"))
        assert broker.is_waiting


async def test_nobody_is_told_so_with_a_broker(settings: Settings, broker: MemoryBroker) -> None:
    with capture_logs() as logs:
        async with running_service(settings, HERE):
            pass
    assert "foreign_events_not_received" not in [line["event"] for line in logs]
