"""A tracing span for each statement of an operation. It has the statement's text, but never its values."""

from typing import Any

from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span
from sqlalchemy import ExceptionContext, event

from app.persistence.engine.database import Database


def trace_statements(database: Database, tracer: Tracer) -> None:
    """Start a span for each statement that runs inside a span. Background work runs outside of spans."""
    engines = {database.writing_engine, database.reading_engine, database.relaying_engine}
    for engine in {each.sync_engine for each in engines}:
        _Statements(tracer, engine.dialect.name).listen(engine)


class _Statements:
    def __init__(self, tracer: Tracer, dialect: str) -> None:
        self._tracer = tracer
        self._system = {"db.system.name": dialect}

    def listen(self, engine: Any) -> None:
        event.listen(engine, "before_cursor_execute", self.begin)
        event.listen(engine, "after_cursor_execute", self.end)
        event.listen(engine, "handle_error", self.fail)

    def begin(self, _: Any, __: Any, statement: str, ___: Any, execution: Any, is_many: bool) -> None:
        if not get_current_span().is_recording():
            return
        verb = statement.split(None, 1)[0].upper()
        about = {**self._system, "db.operation.name": verb, "db.query.text": statement}
        execution.span = self._tracer.start_span(verb, kind=SpanKind.CLIENT, attributes=about)

    def end(self, _: Any, __: Any, ___: Any, ____: Any, execution: Any, _____: Any) -> None:
        if (span := getattr(execution, "span", None)) is not None:
            span.end()

    def fail(self, context: ExceptionContext) -> None:
        if (span := getattr(context.execution_context, "span", None)) is not None:
            span.set_attribute("error.type", type(context.original_exception).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()
