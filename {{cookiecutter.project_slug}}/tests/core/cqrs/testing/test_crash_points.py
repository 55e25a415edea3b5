"""Crash points: a process that is killed at each, and exceptions in the test's own process."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL

import pytest

from app.composition.container import RunningService, running_service
from app.core.cqrs import CQRSBus, transactional
from app.core.cqrs.testing import CrashPoint, MemoryBus, crash_at
from app.persistence.event_tables import event_log
from app.persistence.tables import audit_log, users
from tests.core.cqrs.support import Do, DoMore, Happened, handler_of, within_patience
from tests.core.cqrs.testing.crashing import registration
from tests.databases import SqliteFiles, settings_for
from tests.rows import rows_of
from tests.users import create_user

ROOT = Path(__file__).parents[4]
BEFORE_COMMIT = (CrashPoint.BEFORE_HANDLER, CrashPoint.AFTER_HANDLER, CrashPoint.AFTER_EVENT_ROWS)


class CrashError(BaseException):
    """Ends whatever is going on, as the end of the process does."""


def crash() -> None:
    raise CrashError


@pytest.fixture(scope="module")
def left_behind(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[CrashPoint, str]:
    """The databases of processes that were killed at each point while they registered a user."""
    with ExitStack() as stack:
        urls = {each: stack.enter_context(sqlite_files.fresh(tmp_path_factory.mktemp(each))) for each in CrashPoint}
        told = [word for point, url in urls.items() for word in (url, point)]
        command = [sys.executable, "-m", "tests.core.cqrs.testing.crashing", *told]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert process.stdout.splitlines()[-1].split() == [str(-SIGKILL)] * len(urls), process.stderr
        assert process.stderr == "", "nobody was told anything"
        return urls


@pytest.mark.parametrize("point", CrashPoint)
async def test_what_a_killed_process_leaves_behind(left_behind: dict[CrashPoint, str], point: CrashPoint) -> None:
    async with running_service(settings_for(left_behind[point])) as service:
        stored = 0 if point in BEFORE_COMMIT else 1
        for table in (users, event_log, audit_log):
            assert len(await rows_of(service, table)) == stored
        again = await service.bus.execute_command(registration())
        (user,) = await rows_of(service, users)
        assert again.unwrap() == user.id


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_crash_in_the_own_process_on_real_databases(
    service: RunningService, bus: CQRSBus, point: CrashPoint
) -> None:
    with crash_at(bus, point.value, how=crash), pytest.raises(CrashError):
        await bus.execute_command(create_user())
    await bus.settled()
    assert len(await rows_of(service, users)) == (0 if point in BEFORE_COMMIT else 1)


@pytest.mark.parametrize(
    ("point", "journal"),
    [
        (CrashPoint.BEFORE_HANDLER, ["begin"]),
        (CrashPoint.AFTER_HANDLER, ["begin", "handle", "rollback"]),
        (CrashPoint.AFTER_EVENT_ROWS, ["begin", "handle", "react inside", "record Happened", "rollback"]),
        (CrashPoint.AFTER_COMMIT, ["begin", "handle", "react inside", "record Happened", "commit"]),
        (
            CrashPoint.BEFORE_ANSWER,
            ["begin", "handle", "react inside", "record Happened", "commit", "begin", "react after", "commit"],
        ),
    ],
)
async def test_the_points_stand_where_they_say(point: CrashPoint, journal: list[str]) -> None:
    bus = bus_with_reactions()
    with crash_at(bus, point, how=crash), pytest.raises(CrashError):
        await bus.execute_command(Do())
    await bus.settled()
    assert bus.units.journal == journal


@pytest.mark.parametrize("point", CrashPoint)
async def test_it_crashes_once_at_the_time_that_was_said(point: CrashPoint) -> None:
    bus, crashes = bus_with_reactions(), []
    with crash_at(bus, point, how=lambda: crashes.append(len(bus.units.events)), nth=2):
        for _ in range(4):
            await bus.execute_command(Do())
    assert crashes == ([1] if point in BEFORE_COMMIT else [2])


@pytest.mark.parametrize("point", CrashPoint)
async def test_nothing_crashes_afterwards(point: CrashPoint) -> None:
    begun, may_go = asyncio.Event(), asyncio.Event()

    async def handle(_: Do) -> None:
        begun.set()
        await may_go.wait()

    bus, crashes = MemoryBus(handler_of(Do, handle, transactional())), []
    with crash_at(bus, point, how=lambda: crashes.append(1), nth=2):
        tasks = [asyncio.create_task(bus.execute_command(Do())) for _ in range(3)]
        await within_patience(begun.wait())
    may_go.set()
    await asyncio.gather(*tasks, bus.execute_command(Do()))
    assert len(crashes) == (1 if point is CrashPoint.BEFORE_HANDLER else 0), "that one was passed before"


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_reaction_passes_no_point(point: CrashPoint) -> None:
    bus, crashes = bus_with_reactions(), []
    with crash_at(bus, point, how=lambda: crashes.append(1), nth=2):
        await bus.execute_command(Do())
        await bus.settled()
    assert bus.units.journal.count("begin") == 2
    assert crashes == []


async def test_an_answer_to_a_handler_is_no_answer_to_a_caller() -> None:
    async def send_more(_: Do) -> str:
        return (await bus.execute_command(DoMore())).unwrap()

    bus, crashes = MemoryBus(handler_of(Do, send_more), handler_of(DoMore, lambda _: "more")), []
    with crash_at(bus, "before_answer", how=lambda: crashes.append(1)):
        assert (await bus.execute_command(Do())).unwrap() == "more"
    assert crashes == [1]
    with crash_at(bus, "before_answer", how=lambda: crashes.append(2), nth=2):
        await bus.execute_command(Do())
    assert crashes == [1], "the nested one does not count"


def test_what_could_never_crash_is_refused() -> None:
    with pytest.raises(ValueError, match="nth=0"), crash_at(MemoryBus(), "after_commit", nth=0):
        pass
    with pytest.raises(ValueError, match="at_lunch"), crash_at(MemoryBus(), "at_lunch"):
        pass


def bus_with_reactions() -> MemoryBus:
    """A bus that notes in its journal what is done in which order."""

    async def handle(_: Do) -> None:
        bus.units.journal.append("handle")
        await bus.publish_event(Happened())

    bus = MemoryBus(handler_of(Do, handle, transactional()))
    bus.register(handler_of(Happened, lambda _: bus.units.journal.append("react inside"), in_transaction=True))
    bus.register(handler_of(Happened, lambda _: bus.units.journal.append("react after"), transactional()))
    return bus
