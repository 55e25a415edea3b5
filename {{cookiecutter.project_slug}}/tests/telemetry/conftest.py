"""What tests of telemetry have: the service as processes of its own, and somebody who uses it."""

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
from tests.telemetry.processes import Process, until
from tests.users import PASSWORD

Start = Callable[..., Process]


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
    """Somebody who uses the service: nobody else has this correlation id."""

    service: Process
    id: str = field(default_factory=lambda: uuid4().hex, kw_only=True)
    token: str | None = field(default=None, kw_only=True)

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

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was logged of this visitor under this name, as soon as there is something."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.service.lines(event) if line.get("correlation_id") == self.id]

        lines: list[dict[str, Any]] = until(found, self.service.said)
        return lines


@pytest.fixture(scope="session")
def _visited(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("visited")
    with sqlite_files.fresh(folder) as url, ExitStack() as stack:
        service = Process(folder / "service.log", url)
        stack.callback(service.close)
        service.started()
        yield service


@pytest.fixture
def visitor(_visited: Process) -> Visitor:
    """Somebody who uses a service; tests that change nothing about it share it."""
    return Visitor(_visited)
