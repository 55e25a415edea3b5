"""Opens traces and error reports: spans go to `TRACES_URL`, reports of bugs to `ERROR_REPORTS_URL`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from app.adapters.by_scheme import adapter_module
from app.adapters.telemetry_settings import TelemetrySettings
from app.composition.telemetry import Telemetry
from app.core.observability.error_reports import ReportFailures


@asynccontextmanager
async def open_telemetry(settings: TelemetrySettings) -> AsyncIterator[Telemetry]:
    """Open what the settings configure. On exit, unsent spans and reports are sent, for a few seconds at most.

    Raises:
        ConfigurationError: if no adapter supports a URL's scheme, or a library is not installed.
    """
    given: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        if settings.error_reports_url:
            sentry = adapter_module("error_reports", settings.error_reports_url, "sentry")
            reports = await stack.enter_async_context(sentry.open_error_reports(settings))
            given |= {"reports": reports, "behaviors": (ReportFailures(reports=reports),)}
        if settings.traces_url:
            otlp = adapter_module("traces", settings.traces_url, "traces")
            given |= _traced_by(await stack.enter_async_context(otlp.open_tracer(settings)))
        yield Telemetry(**given)


def _traced_by(tracer: Any) -> dict[str, Any]:
    # Importing OpenTelemetry takes longer than a small command to run.
    from app.core.observability.tracing import traced
    from app.persistence.engine.sql_spans import trace_statements

    return {"tracer": tracer, "tracing": partial(traced, tracer), "watch": partial(trace_statements, tracer=tracer)}


def span_ids(settings: TelemetrySettings) -> Callable[[], dict[str, str]] | None:
    """A function that returns the ids of the current trace and span, for the log; None without traces."""
    if not settings.traces_url:
        return None
    from opentelemetry.trace import get_current_span

    def current() -> dict[str, str]:
        context = get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    return current
