"""`app worker` as a process of its own, beside a service that leaves the delivery of events to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from app.core.config import Settings
from app.core.container import RunningService, running_service
from app.persistence.tables import event_log, notifications, registrations, users
from tests.cli.support import Run
from tests.rows import rows_of
from tests.users import People

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20.0
pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


class Worker:
    """The process; what it says is in a file."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        # Without bytecode every start takes twice as long.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.log = folder / "worker.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "worker"],
                cwd=folder,
                env={**inherited, "PYTHONPATH": str(ROOT), "RELAY_POLL_SECONDS": "0.05", **environment},
                stderr=log,
            )

    def ends(self, number: signal.Signals) -> int:
        """What it exits with after this signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def worker(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[[], Worker]]:
    """Starts workers; none outlives the test."""
    with ExitStack() as stack:

        def start() -> Worker:
            worker = Worker(tmp_path, environment)
            stack.callback(worker.process.wait)
            stack.callback(worker.process.kill)
            return worker

        yield start


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """A service that only writes events to the log."""
    async with running_service(settings) as running:
        yield running


async def until(done: Callable[[], Awaitable[bool]], worker: Worker) -> None:
    """Wait for what the worker does."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not await done():
        assert time.monotonic() < ends and worker.process.poll() is None, worker.log.read_text()
        await anyio.sleep(0.02)


async def test_a_worker_delivers_and_ends_cleanly(service: RunningService, worker: Callable[[], Worker]) -> None:
    await People(service.bus).member()
    assert await rows_of(service, registrations) == []

    async def delivered() -> bool:
        return all(row.published_at for row in await rows_of(service, event_log))

    first = worker()
    await until(delivered, first)
    assert first.ends(signal.SIGTERM) == 0

    assert len(await rows_of(service, registrations)) == 1
    assert len(await rows_of(service, notifications)) == 1
    assert len(await rows_of(service, users)) == 1, "It is no worker's business to make an administrator."
    said = first.log.read_text()
    assert said.startswith("Starting to deliver events, Ctrl+C stops it.\n")
    assert "service_started" in said and "worker_stopped" in said and "Traceback" not in said


async def test_ctrl_c_ends_it_with_130(service: RunningService, worker: Callable[[], Worker]) -> None:
    running = worker()

    async def started() -> bool:
        return "service_started" in running.log.read_text()

    await until(started, running)
    assert running.ends(signal.SIGINT) == 130
    assert "Traceback" not in running.log.read_text()


async def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(
    service: RunningService, worker: Callable[[], Worker]
) -> None:
    people = People(service.bus)
    for _ in range(100):
        await people.member()

    async def begun() -> bool:
        return len(await rows_of(service, registrations)) > 0

    async def all_delivered() -> bool:
        return all(row.published_at for row in await rows_of(service, event_log))

    first = worker()
    await until(begun, first)
    assert first.ends(signal.SIGKILL) == -signal.SIGKILL
    assert not await all_delivered(), "It was killed too late to tell anything."
    second = worker()
    await until(all_delivered, second)

    members = {row.aggregate_id for row in await rows_of(service, event_log)}
    assert len(await rows_of(service, registrations)) == len(members) == 100
    assert sorted(str(row.user_id) for row in await rows_of(service, notifications)) == sorted(members)
    assert second.ends(signal.SIGTERM) == 0


def test_a_worker_that_cannot_start_says_why(run: Run, worker: Callable[[], Worker]) -> None:
    assert run("db", "downgrade", "base").exit_code == 0

    refused = worker()

    assert refused.process.wait(PATIENCE_SECONDS) == 1
    assert "run `app db upgrade`" in refused.log.read_text()
    assert "Traceback" not in refused.log.read_text()
