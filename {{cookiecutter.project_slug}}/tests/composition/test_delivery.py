"""From the commit to the handlers, in the service and in a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.composition import delivery
from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import BaseEventHandler, DomainEvent, OperationMetadata, event_handler
from app.domain.user_events import UserCreated
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions
from app.persistence.events.outbox_statements import BROKER
from tests.core.cqrs.support import PATIENCE, within_patience
from tests.events import event_of, let_wait, store
from tests.rows import notices_of, rows_of
from tests.users import create_user


async def waiting_in(database: Database) -> list[Any]:
    """What was not handed out to handlers, or waits for one."""
    async with database.reading() as session:
        new = (await session.execute(select(event_log.c.id).where(event_log.c.published_at.is_(None)))).all()
        return [*new, *(await session.execute(select(reactions))).all()]


async def welcomed(service: RunningService, times: int) -> None:
    """Wait until so many welcomes were sent."""

    async def sent() -> None:
        while len(await notices_of(service, "welcome")) < times:
            await service.bus.settled()

    await within_patience(sent())


async def test_reactions_run_here(service: RunningService, database: Database) -> None:
    (await service.bus.execute_command(create_user())).unwrap()
    await within_patience(service.bus.settled())
    assert len(await notices_of(service, "welcome")) == 1
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
        assert await notices_of(service, "welcome") == []
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
class ToldByOthers(DomainEvent):
    """An event of another service."""

    event_type = "ToldByOthers"
    event_source = "others"

    what: str


HERE = ("app.handlers", __name__)


@event_handler(ToldByOthers, name="hear")
class HearOthersHandler(BaseEventHandler[ToldByOthers]):
    """Hears it."""

    async def _handle(self, event: ToldByOthers) -> None:
        self.logger.info("heard", what=event.what)


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "ORPHANS_PATIENCE_SECONDS", PATIENCE)


@pytest.mark.usefixtures("_patient")
async def test_who_starts_is_told_what_waits_for_handlers_that_are_gone(settings: Settings, database: Database) -> None:
    await let_wait(database, event_of("1", 1), handler="RenamedHandler")
    with capture_logs() as logs:
        async with running_service(settings):
            pass
    (line,) = (line for line in logs if line["event"] == "events_orphaned")
    assert line["handlers"] == {"RenamedHandler": {"Happened": 1}}
    assert "app outbox purge --handler" in line["what_to_do"]


@pytest.mark.usefixtures("_patient")
async def test_who_starts_is_told_which_events_have_no_class(settings: Settings, database: Database) -> None:
    await store(database, event_of("1", 1, event_type="Gone"), event_of("1", 2, event_type="UserCreated"))
    with capture_logs() as logs:
        async with running_service(settings):
            pass
    (line,) = (line for line in logs if line["event"] == "events_unknown")
    assert line["event_types"] == {"Gone": 1}
    assert 'app outbox purge --handler "(new)"' in line["what_to_do"]


@pytest.mark.usefixtures("_patient")
async def test_who_starts_without_a_broker_is_told_what_waits_for_one(settings: Settings, database: Database) -> None:
    await let_wait(database, event_of("1", 1), handler=BROKER)
    with capture_logs() as logs:
        async with running_service(settings):
            pass
    (line,) = (line for line in logs if line["event"] in ("events_not_sent", "events_orphaned"))
    assert line["event_types"] == {"Happened": 1}
    assert "Set BROKER_URL" in line["what_to_do"]


async def test_a_start_that_cannot_find_out_in_time_says_so(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await let_wait(database, event_of("1", 1), handler="RenamedHandler")
    monkeypatch.setattr(delivery, "ORPHANS_PATIENCE_SECONDS", 0)
    with capture_logs() as logs:
        async with running_service(settings) as service:
            (await service.bus.execute_command(create_user())).unwrap()
            await welcomed(service, 1)
    assert [line["reason"] for line in logs if line["event"] == "orphans_not_counted"] == ["TimeoutError: "]


async def test_nobody_is_told_of_handlers_that_are_here(settings: Settings, database: Database) -> None:
    await let_wait(database, event_of("1", 1, event_type="UserCreated"), handler="SendWelcomeHandler", behind=True)
    with capture_logs() as logs:
        async with running_service(settings, HERE):
            pass
    told = {"events_orphaned", "events_not_sent", "events_unknown"}
    assert not told & {line["event"] for line in logs}


@pytest.mark.parametrize("handlers", [HERE, ("app.handlers",)])
async def test_who_starts_is_told_whose_events_nobody_brings(settings: Settings, handlers: Sequence[str]) -> None:
    with capture_logs() as logs:
        async with running_service(settings, handlers):
            pass
    told = [line for line in logs if line["event"] == "foreign_events_not_received"]
    assert ("others" in [name for line in told for name in line["services"]]) is (handlers is HERE)
    assert all("BROKER_URL" in line["what_to_do"] for line in told)


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
        names = [row.handler for row in await rows_of(service, inbox) if row.handler.partition("#")[0].endswith("Tell")]
    assert sorted(told) == ["mail", "sms"]
    assert [name.rpartition("Tell")[2] for name in sorted(names)] == ["", "#2"]
