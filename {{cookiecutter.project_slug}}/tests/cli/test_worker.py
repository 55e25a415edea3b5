"""`app worker` as a process of its own, beside a service that leaves the delivery of events to it."""

import itertools
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

from app.cli import app
from app.composition import telemetry
from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.domain.user_events import UserCreated
from app.handlers.user.count_registration_handler import CountRegistrationHandler
from app.persistence.tables import registrations, users
from tests.cli.support import Run
from tests.processes import PATIENCE_SECONDS, ROOT, Forked
from tests.rows import events_of, nothing_waits, notices_of, rows_of
from tests.users import People

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def work() -> None:
    """`app worker`."""
    app(["worker"])


def work_and_die() -> None:
    """`app worker`, killed while it counts the tenth registration."""
    counted, handle = itertools.count(1), CountRegistrationHandler._handle

    async def handle_nine(handler: CountRegistrationHandler, event: UserCreated) -> None:
        await handle(handler, event)
        if next(counted) == 10:
            os.kill(os.getpid(), signal.SIGKILL)

    CountRegistrationHandler._handle = handle_nine  # type: ignore[assignment, method-assign]
    work()


@pytest.fixture
def worker(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Forked]]:
    """Starts workers; none outlives the test."""
    with ExitStack() as stack:

        def start(target: Callable[[], None] = work) -> Forked:
            variables = {**os.environ, **environment, "RELAY_POLL_SECONDS": "0.05"}
            worker = Forked(target, tmp_path / "worker.log", variables)
            stack.callback(worker.kill)
            return worker

        yield start


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """A service that only writes events to the log."""
    async with running_service(settings) as running:
        yield running


async def until(done: Callable[[], Awaitable[bool]], worker: Forked) -> None:
    """Wait for what the worker does."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not await done():
        assert time.monotonic() < ends and not worker.has_ended, worker.log.read_text()
        await anyio.sleep(0.02)


async def test_a_worker_delivers_and_ends_cleanly(service: RunningService, worker: Callable[[], Forked]) -> None:
    await People(service.bus).member()
    assert await rows_of(service, registrations) == []

    async def delivered() -> bool:
        return await nothing_waits(service)

    first = worker()
    await until(delivered, first)
    assert first.ends(signal.SIGTERM) == 0

    assert len(await rows_of(service, registrations)) == 1
    assert len(await notices_of(service, "welcome")) == 1
    assert len(await rows_of(service, users)) == 1, "It is no worker's business to make an administrator."
    said = first.log.read_text()
    assert said.startswith("Starting to deliver events, Ctrl+C stops it.\n")
    assert "service_started" in said and "worker_stopped" in said and "Traceback" not in said


def test_a_fresh_one_starts_and_ctrl_c_ends_it_with_130(tmp_path: Path, environment: dict[str, str]) -> None:
    log = tmp_path / "fresh.log"
    variables = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    with log.open("w") as said:
        fresh = subprocess.Popen([sys.executable, "-m", "app", "worker"], cwd=tmp_path, env=variables, stderr=said)
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while "service_started" not in log.read_text():
            assert time.monotonic() < ends and fresh.poll() is None, log.read_text()
            time.sleep(0.02)
        fresh.send_signal(signal.SIGINT)
        assert fresh.wait(PATIENCE_SECONDS) == 130
    finally:
        fresh.kill()
        fresh.wait()
    assert "Traceback" not in log.read_text()


def work_told_to_end_at_once() -> None:
    """`app worker`, which gets a signal before it runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins without
    telemetry.configure_logs = lambda settings: os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    work()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_worker_that_is_only_starting(
    worker: Callable[..., Forked], monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    monkeypatch.setenv("SIGNAL", str(int(number)))
    starting = worker(work_told_to_end_at_once)
    assert starting.ended() == status
    assert starting.log.read_text() == ""


async def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(
    service: RunningService, worker: Callable[..., Forked]
) -> None:
    people = People(service.bus)
    for _ in range(30):
        await people.member()

    async def all_delivered() -> bool:
        return await nothing_waits(service)

    assert worker(work_and_die).ended() == -signal.SIGKILL
    assert not await all_delivered()
    second = worker()
    await until(all_delivered, second)

    members = {row.aggregate_id for row in await events_of(service, "User")}
    assert len(await rows_of(service, registrations)) == len(members) == 30
    assert sorted(str(row.user_id) for row in await notices_of(service, "welcome")) == sorted(members)
    assert second.ends(signal.SIGTERM) == 0


def test_a_worker_that_cannot_start_says_why(run: Run, worker: Callable[[], Forked]) -> None:
    assert run("db", "downgrade", "base").exit_code == 0

    refused = worker()

    assert refused.ended() == 1
    assert "run `app db upgrade`" in refused.log.read_text()
    assert "Traceback" not in refused.log.read_text()
