"""What tests of telemetry have: receivers, and the service as processes of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.callers import new_user
from tests.databases import SqliteFiles
from tests.telemetry.processes import Process
from tests.telemetry.receivers import Receiver, SentSpan, receiver, until
from tests.users import PASSWORD

Start = Callable[..., Process]


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


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Starts processes on the test's database, and waits until they work; none outlives the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **settings: object) -> Process:
            log = tmp_path / f"{len(list(tmp_path.glob('*.log')))}.log"
            process = Process(log, database_url, *arguments, **settings)
            stack.callback(process.close)
            process.started()
            return process

        yield start


@dataclass
class Visitor:
    """Somebody who uses the watched service, and what is told about it: nobody else is in this trace."""

    service: Process
    collector: Receiver
    sentry: Receiver
    id: str = field(default_factory=lambda: uuid4().hex)
    token: str | None = None

    def post(self, path: str, **more: Any) -> httpx2.Response:
        """Send something."""
        return self.send("POST", path, **more)

    def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Send a request."""
        headers = {"traceparent": f"00-{self.id}-00f067aa0ba902b7-01", "X-Correlation-ID": self.id}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.service.client.request(method, path, headers=headers, **more)

    def signs_in(self) -> str:
        """Register, and sign in from now on; returns the user id."""
        name = f"u{self.id}"
        registered = self.post("/api/users", json=new_user(email=f"{name}@example.org", username=name))
        signed_in = self.post("/api/auth/login", data={"username": name, "password": PASSWORD})
        self.token = signed_in.json()["access_token"]
        user_id: str = registered.json()["user_id"]
        return user_id

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
def _watched(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    folder = tmp_path_factory.mktemp("watched")
    with receiver() as collector, receiver() as sentry, sqlite_files.fresh(folder) as url, ExitStack() as stack:
        dsn = sentry.url.replace("http://", "http://key@") + "/1"
        told = {"traces_url": collector.url, "error_reports_url": dsn, "service_name": "shop", "release": "abc123"}
        service = Process(folder / "service.log", url, **told)
        stack.callback(service.close)
        service.started()
        yield Visitor(service, collector, sentry)


@pytest.fixture
def visitor(_watched: Visitor) -> Visitor:
    """Somebody who uses a service that tells everything; tests that change nothing about it share it."""
    return Visitor(_watched.service, _watched.collector, _watched.sentry)
