"""A span for each statement of an operation: its text, never its values; none for what no operation asked."""

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from sqlalchemy import event, select, text

from app.core.cqrs import ConflictError
from app.persistence.engine.database import Database
from app.persistence.engine.sql_spans import trace_statements
from app.persistence.tables import users
from tests.telemetry.traces.spans import Spans, own, parent, said

SECRET = "hunter2"
WAIT = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000) SELECT max(x) FROM n",
}


@pytest.fixture
def spans(database: Database) -> Spans:
    spans = Spans()
    trace_statements(database, spans.tracer)
    return spans


def names(spans: Spans) -> list[str]:
    return [span.name for span in spans.ended]


async def test_a_statement_is_a_span_of_the_operation(database: Database, spans: Spans) -> None:
    with spans.tracer.start_as_current_span("operation") as operation:
        async with database.reading() as session:
            await session.execute(select(users.c.id).where(users.c.email == SECRET))
    span = spans["SELECT"]
    assert (parent(span), span.kind) == (own(operation), SpanKind.CLIENT)
    text_of_it = str(said(span).pop("db.query.text"))
    assert text_of_it.startswith("SELECT users.id") and "WHERE users.email =" in text_of_it
    assert said(span) == {
        "db.system.name": "sqlite" if database.is_sqlite else "postgresql",
        "db.operation.name": "SELECT",
        "db.query.text": text_of_it,
    }
    assert SECRET not in span.to_json()


@pytest.mark.parametrize("level", [None, "SERIALIZABLE"])
async def test_so_it_is_for_writing_at_every_isolation_level(
    database: Database, spans: Spans, level: str | None
) -> None:
    with spans.tracer.start_as_current_span("operation"):
        async with database.writing(level) as session:
            await session.execute(text("UPDATE users SET email = :new WHERE email = :old"), {"new": "a", "old": SECRET})
    assert "UPDATE" in names(spans)


async def test_each_statement_is_one_span(database: Database, spans: Spans) -> None:
    with spans.tracer.start_as_current_span("operation"):
        async with database.relaying_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    assert names(spans).count("SELECT") == 1


async def test_what_no_operation_asked_has_no_span(database: Database, spans: Spans) -> None:
    async with database.relaying_engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    assert names(spans) == []


async def test_an_error_is_marked_and_its_words_are_left_out(database: Database, spans: Spans) -> None:
    insert = text("INSERT INTO alembic_version (version_num) VALUES (:name)")
    async with database.writing() as session:
        with spans.tracer.start_as_current_span("operation"):
            await session.execute(insert, {"name": SECRET})
            with pytest.raises(ConflictError):
                await session.execute(insert, {"name": SECRET})
    failed = [span for span in spans.ended if span.name == "INSERT"][-1]
    assert not failed.status.is_ok
    assert "Error" in said(failed)["error.type"]
    assert SECRET not in failed.to_json()


async def test_one_that_is_cancelled_ends_its_span(database: Database, spans: Spans) -> None:
    statement, begun = WAIT[database.reading_engine.dialect.name], asyncio.Event()

    def look(_: Any, __: Any, begins: str, *___: Any) -> None:
        if begins == statement:
            begun.set()

    async def wait() -> None:
        with spans.tracer.start_as_current_span("operation"):
            async with database.reading() as session:
                await session.execute(text(statement))

    event.listen(database.reading_engine.sync_engine, "before_cursor_execute", look)
    waiting = asyncio.create_task(wait())
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert set(names(spans)) - {"BEGIN"} in ({"operation", "SELECT"}, {"operation", "WITH"})
