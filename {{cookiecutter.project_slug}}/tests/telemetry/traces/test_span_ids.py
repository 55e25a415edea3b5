import pytest

from app.adapters.telemetry_settings import TelemetrySettings
from app.composition.traces_and_reports import span_ids
from tests.databases import part_settings
from tests.telemetry.traces.spans import Spans, own, trace


def test_with_traces_the_log_gets_the_ids_of_the_current_span() -> None:
    ids = span_ids(part_settings(TelemetrySettings, traces_url="http://collector"))
    assert ids is not None
    assert ids() == {}
    with Spans().tracer.start_as_current_span("sending") as span:
        assert ids() == {"trace_id": trace(span), "span_id": own(span)}


@pytest.mark.parametrize("other", [{}, {"error_reports_url": "https://key@reports.example/1"}])
def test_without_traces_it_gets_none(other: dict[str, str]) -> None:
    assert span_ids(part_settings(TelemetrySettings, **other)) is None
