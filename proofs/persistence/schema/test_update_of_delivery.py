"""The migration to a delivery per handler, with rows: what waited is handed out, and nothing done is done again."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import JSON, Boolean, TableClause, Uuid, column, insert, table
from sqlalchemy.dialects.postgresql import JSONB

from app.core.config import Settings
from app.core.ids import uuid7
from app.persistence.column_types import UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.event_tables import inbox, reactions
from app.persistence.events.waiting_events import failed_events
from app.persistence.schema import migrate
from support.reacting import Journal, PricedElsewhere, reaction, services
from tests.core.cqrs.support import within_patience
from tests.databases import settings_for
from tests.rows import rows_of

DOCUMENT = JSON().with_variant(JSONB(), "postgresql")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def of_before(name: str) -> TableClause:
    """A table of events as the release before has it."""
    return table(
        name,
        column("id", Uuid),
        *map(column, ("aggregate_type", "aggregate_id", "version", "event_type", "attempts", "last_error")),
        column("payload", DOCUMENT),
        column("metadata", DOCUMENT),
        *(column(moment, UtcDateTime) for moment in ("occurred_at", "published_at", "next_attempt_at")),
        column("dead", Boolean),
    )


OLD_TABLES = {"log": of_before("event_log"), "parked": of_before("parked_events"), "inbox": inbox}


def row(article: str, price: int, event_type: str = "Priced", **values: Any) -> dict[str, Any]:
    """An event as the release before has it: it waits, unless something else is said."""
    known = {
        "id": uuid7(),
        "aggregate_type": "Article",
        "aggregate_id": article,
        "version": price,
        "event_type": event_type,
        "payload": {"article": article, "price": price},
        "metadata": {},
        "occurred_at": NOW,
        "published_at": None,
        "next_attempt_at": None,
        "attempts": 0,
        "last_error": None,
        "dead": False,
    }
    return known | values


DELIVERED: dict[str, Any] = {"published_at": NOW}
FAILED: dict[str, Any] = {"attempts": 1, "last_error": "ValueError: x", "next_attempt_at": NOW}
DEAD: dict[str, Any] = {"attempts": 10, "last_error": "ValueError: x", "dead": True}
FOREIGN = "others.PricedElsewhere"


@pytest.fixture
def settings(empty_database_url: str) -> Settings:
    """A database of the release before."""
    at_first = settings_for(empty_database_url)
    migrate.upgrade(at_first)
    migrate.downgrade(at_first, "0002")
    return at_first


def put(settings: Settings, **rows: list[dict[str, Any]]) -> None:
    """Insert rows."""

    async def inserted() -> None:
        database = Database(settings)
        try:
            async with database.writing() as session, session.begin():
                for name, given in rows.items():
                    await session.execute(insert(OLD_TABLES[name]), given)
        finally:
            await database.close()

    asyncio.run(inserted())


def had(event_id: UUID, handler: str) -> dict[str, Any]:
    """A row of the inbox."""
    return {"event_id": event_id, "handler": handler, "received_at": NOW}


def handled(settings: Settings) -> tuple[Journal, list[Any]]:
    """What handlers are given after the update, and what waits then."""
    journal = Journal()
    handlers = (
        reaction("Index", journal),
        reaction("SendLetter", journal, name="SendMail"),
        reaction("Elsewhere", journal, event=PricedElsewhere),
    )

    async def settled() -> list[Any]:
        async with services(settings, (True,), *handlers) as (service,):
            await within_patience(service.bus.settled())
            return await rows_of(service, reactions)

    return journal, asyncio.run(settled())


CASES = {"it waited": {}, "it failed": FAILED, "it was dead": DEAD}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["up", "up, down and up"])
def test_what_waited_is_handed_out_and_what_was_done_is_not(settings: Settings, case: str, way: str) -> None:
    waits = CASES[case]
    done, second = row("1", 1, **DELIVERED), row("1", 2, **waits)
    parked = row("2", 1, **waits)
    put(
        settings,
        log=[done, second, row("1", 3), parked | DELIVERED],
        parked=[parked, row("3", 1, FOREIGN, **waits), row("3", 2, FOREIGN), row("3", 3, FOREIGN, **DELIVERED)],
        inbox=[
            had(done["id"], "app.handlers.send_mail_handler.SendMail"),
            had(second["id"], "app.handlers.send_mail_handler.SendMail"),
            had(second["id"], "SendMail"),
            had(parked["id"], "app.handlers.index_handler.Index"),
        ],
    )
    migrate.upgrade(settings)
    if way != "up":
        migrate.downgrade(settings, "0002")
        migrate.upgrade(settings)
    journal, waiting = handled(settings)
    assert waiting == []
    assert journal.of("Index", "1") == [2, 3]
    assert journal.of("SendLetter", "1") == [3], "it has had the second, under the name of before"
    assert (journal.of("Index", "2"), journal.of("SendLetter", "2")) == ([], [1])
    assert journal.of("Elsewhere", "3") == [1, 2]


@pytest.mark.parametrize("source", ["others", "Others", "OTHERS"])
def test_the_service_that_an_event_came_from_is_told_from_its_name(settings: Settings, source: str) -> None:
    put(settings, parked=[row("3", 1, f"{source}.PricedElsewhere")])
    migrate.upgrade(settings)
    journal, waiting = handled(settings)
    assert (journal.of("Elsewhere", "3"), waiting) == ([1], [])


def test_what_no_release_reads_stays_dead(settings: Settings) -> None:
    error = "UnreadableMessageError: The message is not an event of ours."
    put(settings, parked=[row("4", 1, "unknown", **DEAD | {"last_error": error})])
    migrate.upgrade(settings)
    _, (waiting,) = handled(settings)
    assert (waiting.handler, waiting.dead, waiting.last_error) == ("(unreadable)", True, error)

    async def listed() -> list[str]:
        database = Database(settings)
        try:
            return [one.event_type for one in await failed_events(database, dead_only=True, limit=10)]
        finally:
            await database.close()

    assert asyncio.run(listed()) == ["unknown"]


def test_what_waits_for_one_handler_survives_the_way_back(settings: Settings) -> None:
    put(settings, log=[row("1", 1), row("2", 1, **DELIVERED)], parked=[row("3", 1, FOREIGN)])
    migrate.upgrade(settings)
    first, _ = handled(settings)
    assert sorted(first.done) == [("Elsewhere", "3", 1), ("Index", "1", 1), ("SendLetter", "1", 1)]
    migrate.downgrade(settings, "0002")
    migrate.upgrade(settings)
    again, waiting = handled(settings)
    assert (again.done, waiting) == ([], [])
