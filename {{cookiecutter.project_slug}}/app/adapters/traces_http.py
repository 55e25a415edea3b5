"""Sends spans in OpenTelemetry's protocol over HTTP, to a collector, Jaeger, Tempo or another compatible service.

A thread sends them. A slow or unreachable collector costs spans, but never delays operations.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Thread
from urllib.parse import urlsplit

import structlog
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

from app.adapters.telemetry_settings import TelemetrySettings
from app.core.cqrs import ConfigurationError

ENCRYPTED = "https"
SEND_SECONDS = 5.0
"""Timeout of one batch, all attempts together."""
WAIT_SECONDS = 1.0
"""How long a span waits for others, to be sent in one batch."""
LAST_SECONDS = 3.0
"""How long the shutdown waits for unsent spans."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def open_tracer(settings: TelemetrySettings) -> AsyncIterator[Tracer]:
    """The tracer of `http://` and `https://`.

    Raises:
        ConfigurationError: if the URL names no host.
    """
    sampler = ParentBased(TraceIdRatioBased(settings.traces_ratio))
    provider = TracerProvider(resource=_resource(settings), sampler=sampler, shutdown_on_exit=False)
    exporter = Exporter(endpoint_of(settings.traces_url), timeout=SEND_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=WAIT_SECONDS * 1000))
    try:
        yield provider.get_tracer("app")
    finally:
        # A daemon thread, because only the end of the process stops the library while it waits for an answer.
        ending = Thread(target=provider.shutdown, name="traces-shutdown", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, LAST_SECONDS)


class Exporter(OTLPSpanExporter):
    """Logs once that sending fails, and once that it works again; the library would log each attempt."""

    _fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch of spans."""
        said.clear()
        result = super().export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            logger.warning("spans_not_sent", reason=next(iter(said), None))
        elif self._fails and not fails:
            logger.info("spans_sent_again")
        self._fails = fails
        return result


said: list[str] = []
"""The library's log messages about a batch."""


def keep_out(record: logging.LogRecord) -> bool:
    """Collect a message of the library, and keep it out of the log."""
    said.append(record.getMessage())
    return False


logging.getLogger(trace_exporter.__name__).addFilter(keep_out)


def _resource(settings: TelemetrySettings) -> Resource:
    about = {
        "service.name": settings.service_name,
        "service.version": settings.release,
        "deployment.environment.name": settings.environment,
    }
    return Resource.create({name: value for name, value in about.items() if value})


def endpoint_of(url: str) -> str:
    """The URL with the standard path of collectors, unless it has a path already.

    Raises:
        ConfigurationError: if the URL names no host.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ConfigurationError("TRACES_URL names no host: it looks like http://collector:4318.")
    return url if parts.path.strip("/") else f"{url.rstrip('/')}/v1/traces"
