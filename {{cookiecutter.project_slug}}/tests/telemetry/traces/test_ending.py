"""The end of a service waits for what was not sent yet, and not for long."""

import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from app.adapters import error_reports_http, traces_http
from app.adapters.error_reports_http import open_error_reports
from app.adapters.telemetry_settings import TelemetrySettings
from app.adapters.traces_http import open_tracer
from app.core.cqrs import OperationMetadata
from tests.databases import part_settings
from tests.telemetry.traces.receivers import Receiver, receiver

SHORT, LONG = 0.2, 15.0
Tell = Callable[[TelemetrySettings], Awaitable[None]]


async def trace(settings: TelemetrySettings) -> None:
    async with open_tracer(settings) as tracer:
        tracer.start_span("something").end()


async def report(settings: TelemetrySettings) -> None:
    async with open_error_reports(settings) as reports:
        reports.report(ZeroDivisionError(), "Something", OperationMetadata())


def settings_to(server: Receiver) -> TelemetrySettings:
    dsn = server.url.replace("http://", "http://key@") + "/1"
    return part_settings(TelemetrySettings, traces_url=server.url, error_reports_url=dsn)


@pytest.mark.parametrize("tell", [trace, report])
async def test_it_waits_for_what_is_on_its_way(tell: Tell) -> None:
    with receiver(silent=True) as server:
        began = time.monotonic()
        threading.Timer(SHORT, server.may_answer.set).start()
        await tell(settings_to(server))
        assert time.monotonic() - began > SHORT * 0.9
    assert len(server.bodies) == 1


@pytest.mark.parametrize("tell", [trace, report])
async def test_it_does_not_wait_for_ever(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_http, "SEND_SECONDS", 2 * LONG)
    monkeypatch.setattr(traces_http, "LAST_SECONDS", SHORT)
    monkeypatch.setattr(error_reports_http, "LAST_SECONDS", SHORT)
    before = {thread for thread in threading.enumerate() if not thread.daemon}
    with receiver(silent=True) as server:
        began = time.monotonic()
        await tell(settings_to(server))
        assert time.monotonic() - began < LONG
        left = {thread for thread in threading.enumerate() if not thread.daemon and thread.name[:7] != "asyncio"}
        assert left <= before, "They would keep the process alive."
