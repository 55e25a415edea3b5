"""A trace goes on behind a broker."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.brokers import SERVERS
from tests.surroundings import require_server
from tests.telemetry.conftest import Start
from tests.telemetry.traces.conftest import WatchedVisitor
from tests.telemetry.traces.receivers import Receiver
from tests.telemetry.traces.test_traces import ON_SQLITE, named


@pytest.fixture(params=[*SERVERS][:1])
def broker(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a service that sends its events to a broker."""
    server, topic = SERVERS[request.param], f"test_{uuid4().hex}"
    require_server(server.url, "traces over a broker were not tested")
    yield {"broker_url": server.url, "broker_topic": topic}
    asyncio.run(server.forget(topic))


@ON_SQLITE
@pytest.mark.integration
def test_a_trace_goes_on_behind_a_broker(start: Start, collector: Receiver, broker: dict[str, str]) -> None:
    visitor = WatchedVisitor(start(traces_url=collector.url, **broker), collector, collector)
    start("worker", traces_url=collector.url, **broker)
    visitor.post("/mishaps/Announce")
    spans = visitor.spans("Announce", "TakeAnnouncementHandler")
    assert named(spans, "TakeAnnouncementHandler").parent_id == named(spans, "Announce").span_id
