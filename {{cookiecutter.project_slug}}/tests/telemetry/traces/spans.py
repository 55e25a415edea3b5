"""Spans as tests see them."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


class Spans:
    """The spans of a test, as soon as they end."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("test")

    @property
    def ended(self) -> Sequence[ReadableSpan]:
        """All of them."""
        return self._exporter.get_finished_spans()

    def __getitem__(self, name: str) -> ReadableSpan:
        """The only one of this name."""
        (found,) = (span for span in self.ended if span.name == name)
        return found

    def clear(self) -> None:
        """Forget them."""
        self._exporter.clear()


def parent(span: ReadableSpan) -> str | None:
    """The id of the span around."""
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def own(span: Any) -> str:
    """The id of this span."""
    return f"{span.get_span_context().span_id:016x}"


def trace(span: Any) -> str:
    """The id of its trace."""
    return f"{span.get_span_context().trace_id:032x}"


def said(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes."""
    return dict(span.attributes or {})
