"""What tests of traces and error reports have: receivers, and a service that sends them everything."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.databases import SqliteFiles
from tests.telemetry.conftest import Visitor
from tests.telemetry.processes import Process, until
from tests.telemetry.traces.receivers import Receiver, SentSpan, receiver


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """Takes spans."""
    with receiver() as received:
        yield received


@pytest.fixture
def sentry() -> Iterator[Receiver]:
    """Takes error reports."""
    with receiver() as received:
        yield received


@dataclass
class WatchedVisitor(Visitor):
    """Somebody who uses the watched service, and what is told about it: nobody else is in this trace."""

    collector: Receiver
    sentry: Receiver

    def spans(self, *names: str) -> list[SentSpan]:
        """The spans of this trace, as soon as these are there."""

        def found() -> list[SentSpan]:
            spans = [span for span in self.collector.spans() if span.trace_id == self.id]
            return spans if set(names) <= {span.name for span in spans} else []

        spans: list[SentSpan] = until(found, lambda: sorted(span.name for span in self.collector.spans()))
        return spans

    def reports(self) -> list[dict[str, Any]]:
        """What was reported of this visitor, as soon as there is something."""

        def found() -> list[dict[str, Any]]:
            return [report for report in self.sentry.reports() if report["tags"].get("correlation_id") == self.id]

        reports: list[dict[str, Any]] = until(found, self.service.said)
        return reports

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was logged of this trace under this name, as soon as there is something."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.service.lines(event) if line.get("trace_id") == self.id]

        lines: list[dict[str, Any]] = until(found, self.service.said)
        return lines


@pytest.fixture(scope="session")
def _watched(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedVisitor]:
    folder = tmp_path_factory.mktemp("watched")
    with receiver() as collector, receiver() as sentry, sqlite_files.fresh(folder) as url, ExitStack() as stack:
        dsn = sentry.url.replace("http://", "http://key@") + "/1"
        told = {"traces_url": collector.url, "error_reports_url": dsn, "service_name": "shop", "release": "abc123"}
        service = Process(folder / "service.log", url, **told)
        stack.callback(service.close)
        service.started()
        yield WatchedVisitor(service, collector, sentry)


@pytest.fixture
def visitor(_watched: WatchedVisitor) -> WatchedVisitor:
    """Somebody who uses a service that tells everything; tests that change nothing about it share it."""
    return WatchedVisitor(_watched.service, _watched.collector, _watched.sentry)
