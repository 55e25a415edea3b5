"""OpenTelemetry tracing: one span for each command, query and reaction.

A bus has it as `CQRSBus(tracing=partial(traced, tracer))`. A span never contains the fields of a message or the
text of an error, because they may be secret; the text of the error is in the log.
"""

import traceback
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.core.cqrs.errors import CQRSError, OperationStatus
from app.core.cqrs.messages import aggregate_id_of, name_of
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.results import OperationResult

ERRORS = frozenset({OperationStatus.FAILED, OperationStatus.TIMEOUT, OperationStatus.UNAVAILABLE})
"""Statuses that count as errors of the service; refusals do not."""

w3c = TraceContextTextMapPropagator()


def traced(tracer: Tracer, plan: Plan, proceed: Step) -> Step:
    """Run the step inside a span. Its nested dispatches, database queries and later reactions share the trace."""
    is_event = plan.kind is Kind.EVENT
    kind = SpanKind.CONSUMER if is_event and not plan.nested else SpanKind.INTERNAL

    async def in_span(message: Any) -> Any:
        name = plan.handler_type.__name__ if is_event else name_of(message)
        span = tracer.start_span(name, _parent(message, is_event), kind, _attributes(plan, message))
        metadata = message.metadata
        outer, metadata.traceparent = metadata.traceparent, traceparent_of(span)
        token = attach(set_span_in_context(span))
        try:
            answer = await proceed(message)
            _set_status(span, answer.status if isinstance(answer, OperationResult) else OperationStatus.SUCCESS)
            return answer
        except BaseException as error:
            _end_badly(span, error)
            raise
        finally:
            detach(token)
            span.end()
            if is_event:  # its reactions share its metadata, and the next one is not a child of this span
                metadata.traceparent = outer

    return in_span


def traceparent_of(span: Span) -> str:
    """The `traceparent` of a span, as in W3C's "Trace Context"."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _parent(message: Any, is_event: bool) -> Context | None:
    """The parent span: that of the metadata. A command or query prefers the current span, which None stands for."""
    traceparent = message.metadata.traceparent
    if traceparent is None or (not is_event and get_current_span().get_span_context().is_valid):
        return None
    return w3c.extract({"traceparent": traceparent}, Context())


def _attributes(plan: Plan, message: Any) -> dict[str, str]:
    attributes = {
        "cqrs.kind": plan.kind.value,
        "cqrs.message": name_of(message),
        "cqrs.handler": plan.handler_type.__name__,
        "cqrs.operation_id": message.metadata.operation_id,
    }
    aggregate_id = aggregate_id_of(message)
    return attributes if aggregate_id is None else {**attributes, "cqrs.aggregate_id": aggregate_id}


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
