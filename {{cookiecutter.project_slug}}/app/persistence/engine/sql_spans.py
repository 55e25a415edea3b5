"""A tracing span for each statement of an operation. It has the statement's text, but never its values."""

from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span
from sqlalchemy import Connection, ExceptionContext, event

from app.persistence.engine.database import Database


def trace_statements(database: Database, tracer: Tracer) -> None:
    """Start a span for each statement that runs inside a span. Background work runs outside of spans."""
    engines = {database.writing_engine, database.reading_engine, database.relaying_engine}
    for engine in {each.sync_engine for each in engines}:
        event.listen(engine, "before_cursor_execute", partial(_begin, tracer))
        event.listen(engine, "after_cursor_execute", _end)
        event.listen(engine, "handle_error", _fail)


def _begin(tracer: Tracer, connection: Connection, _: Any, statement: str, __: Any, execution: Any, ___: bool) -> None:
    if not get_current_span().is_recording():
        return
    verb = statement.split(None, 1)[0].upper()
    system = connection.dialect.name
    about = {"db.system.name": system, "db.operation.name": verb, "db.query.text": statement}
    execution.span = tracer.start_span(verb, kind=SpanKind.CLIENT, attributes=about)


def _end(_: Any, __: Any, ___: Any, ____: Any, execution: Any, _____: Any) -> None:
    if (span := getattr(execution, "span", None)) is not None:
        span.end()


def _fail(context: ExceptionContext) -> None:
    if (span := getattr(context.execution_context, "span", None)) is not None:
        span.set_attribute("error.type", type(context.original_exception).__qualname__)
        span.set_status(StatusCode.ERROR)
        span.end()
