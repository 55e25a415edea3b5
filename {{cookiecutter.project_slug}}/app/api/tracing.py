"""A span for each request, made by FastAPI's own OpenTelemetry support. The spans of operations are inside it."""

from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import NoOpTracer, Span, Tracer, TracerProvider

from app.adapters.telemetry_settings import TelemetrySettings

SILENT = ("/health", "/metrics")
"""Paths that are polled all day long, and get no spans."""


class RequestSpans(TracerProvider, Tracer):
    """Makes the spans of requests with the tracer of the service, which does not exist yet when FastAPI asks for it."""

    def __init__(self) -> None:
        self.tracer: Any = NoOpTracer()

    @property
    def telemetry(self) -> TelemetryConfig:
        """FastAPI's configuration for these spans."""
        return {
            "tracer_provider": self,
            "tracing": True,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": lambda scope: scope.get("path", "").startswith(SILENT),
        }

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """The tracer is this object itself."""
        return self

    def start_span(self, name: str, *args: Any, attributes: Any = None, **kwargs: Any) -> Span:
        """Start a span without the query string, which contains what people search for."""
        kept = {key: value for key, value in (attributes or {}).items() if key != "url.query"}
        span: Span = self.tracer.start_span(name, *args, attributes=kept, **kwargs)
        return span

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """The same, as a context."""
        return self.tracer.start_as_current_span(*args, **kwargs)


def request_spans(settings: TelemetrySettings) -> RequestSpans | None:
    """What makes the spans of requests; None without `TRACES_URL`."""
    return RequestSpans() if settings.traces_url else None
