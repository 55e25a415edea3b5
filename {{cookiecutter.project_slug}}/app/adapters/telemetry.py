"""Opens telemetry: spans go to `TRACES_URL`, reports of bugs to `ERROR_REPORTS_URL`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.adapters.by_scheme import adapter_module
from app.core.config import Settings
from app.core.cqrs import ErrorReports


@dataclass(frozen=True)
class Telemetry:
    """The tracer and the error reporter; None if not configured."""

    tracer: Any = None  # a `Tracer` of OpenTelemetry, which is imported only where spans are wanted
    reports: ErrorReports | None = None


@asynccontextmanager
async def open_telemetry(settings: Settings) -> AsyncIterator[Telemetry]:
    """Open what the settings configure. On exit, unsent spans and reports are sent, for a few seconds at most.

    Raises:
        ConfigurationError: if no adapter supports a URL's scheme, or a library is not installed.
    """
    tracer, reports = None, None
    async with AsyncExitStack() as stack:
        if settings.error_reports_url:
            sentry = adapter_module("error_reports", settings.error_reports_url, "sentry")
            reports = await stack.enter_async_context(sentry.open_error_reports(settings))
        if settings.traces_url:
            otlp = adapter_module("traces", settings.traces_url, "traces")
            tracer = await stack.enter_async_context(otlp.open_tracer(settings))
        yield Telemetry(tracer, reports)
