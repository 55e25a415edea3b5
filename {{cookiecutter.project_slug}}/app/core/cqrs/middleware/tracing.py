"""One span for each command, query and reaction, as OpenTelemetry has them.

The pipeline imports this only where there is a tracer. A span never has the fields of a message or the words of an
error: they may be secret, and the log has them.
"""

import traceback
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.core.cqrs.errors import CQRSError
from app.core.cqrs.messages import aggregate_id_of, name_of
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.ports import Tracer
from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus

ERRORS = frozenset({OperationStatus.FAILED, OperationStatus.TIMEOUT, OperationStatus.UNAVAILABLE})
"""What is an error of the service; what it refused is none."""

w3c = TraceContextTextMapPropagator()


def traced(plan: Plan, proceed: Step, tracer: Tracer) -> Step:
    """The step inside a span. What it dispatches, asks the database and causes later is part of the same trace."""
    is_event = plan.kind is Kind.EVENT
    kind = SpanKind.CONSUMER if is_event and not plan.nested else SpanKind.INTERNAL

    async def in_span(message: Any) -> Any:
        name = plan.handler_type.__name__ if is_event else name_of(message)
        span: Span = tracer.start_span(name, _parent(message, is_event), kind, _about(plan, message))
        metadata = message.metadata
        outer, metadata.traceparent = metadata.traceparent, traceparent_of(span)
        token = attach(set_span_in_context(span))
        try:
            answer = await proceed(message)
            _end_well(span, answer)
            return answer
        except BaseException as error:
            _end_badly(span, error)
            raise
        finally:
            detach(token)
            span.end()
            if is_event:  # the next reaction to it is no part of this one
                metadata.traceparent = outer

    return in_span


def traceparent_of(span: Span) -> str:
    """A span as W3C's "Trace Context" names it."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _parent(message: Any, is_event: bool) -> Context | None:
    """The span of the operation an event happened in, wherever that was; for others the one around, if there is one."""
    traceparent = message.metadata.traceparent
    if traceparent is None or (not is_event and get_current_span().get_span_context().is_valid):
        return None
    return w3c.extract({"traceparent": traceparent}, Context())


def _about(plan: Plan, message: Any) -> dict[str, str]:
    about = {
        "cqrs.kind": plan.kind.value,
        "cqrs.message": name_of(message),
        "cqrs.handler": plan.handler_type.__name__,
        "cqrs.operation_id": message.metadata.operation_id,
    }
    aggregate_id = aggregate_id_of(message)
    return about if aggregate_id is None else {**about, "cqrs.aggregate_id": aggregate_id}


def _end_well(span: Span, answer: Any) -> None:
    status = answer.status if isinstance(answer, OperationResult) else OperationStatus.SUCCESS
    _set_status(span, status)


def _end_badly(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    if not isinstance(error, Exception):
        span.set_attribute("cqrs.status", "cancelled")
        return
    status = error.status if isinstance(error, CQRSError) else OperationStatus.FAILED
    _set_status(span, status)
    if status is OperationStatus.FAILED:
        where = "".join(traceback.format_tb(error.__traceback__))
        span.add_event("exception", {"exception.type": type(error).__qualname__, "exception.stacktrace": where})


def _set_status(span: Span, status: OperationStatus) -> None:
    span.set_attribute("cqrs.status", status.value)
    if status in ERRORS:
        span.set_status(StatusCode.ERROR)
