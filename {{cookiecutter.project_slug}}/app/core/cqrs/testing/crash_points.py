"""The end of the process at a chosen moment: what is stored then, and what does a second try find?

    with crash_at(bus, CrashPoint.AFTER_COMMIT):
        await bus.execute_command(CreateUserCommand(...))  # the last thing this process does

Run that in a process of its own, which the test starts and outlives. In the test's own process give `how`, a
function that raises.
"""

import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from app.core.cqrs.aggregate import RaisedEvent
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.dispatch import running
from app.core.cqrs.messages import ICommand
from app.core.cqrs.ports import UnitOfWork
from app.core.cqrs.testing.seams import every_unit, replace, replaced, units_of


class CrashPoint(StrEnum):
    """A moment in the life of a command in a transaction, in the order in which they come.

    All but the last belong to the command's unit of work: each attempt passes them. Units of work of reactions do not.
    """

    BEFORE_HANDLER = "before_handler"
    """The unit of work is opened; nothing is done in it, not even the idempotency key is claimed."""
    AFTER_HANDLER = "after_handler"
    """The handler is done; no reaction inside the transaction has run, and no event is written."""
    AFTER_EVENT_ROWS = "after_event_rows"
    """All is written; the COMMIT is next."""
    AFTER_COMMIT = "after_commit"
    """It is stored, and nobody knows."""
    BEFORE_ANSWER = "before_answer"
    """The command of a caller has its result, which the caller does not have yet."""


def kill_process() -> None:
    """End this process as `kill -9` does: nothing is closed, nothing is undone."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def crash_at(
    bus: CQRSBus, point: CrashPoint | str, how: Callable[[], object] = kill_process, nth: int = 1
) -> Iterator[None]:
    """Crash when a point is passed, once.

    Args:
        bus: whose commands.
        point: when; a CrashPoint, or its value.
        how: what happens there; what it raises comes out of that point.
        nth: at which passing of the point; 1 is the first.
    """
    crash = _Crash(CrashPoint(point), how, nth)
    execute = bus.execute_command

    def execute_command(command: Any) -> Coroutine[Any, Any, Any]:
        return crash.before_answer(execute(command))

    with replaced(bus, execute_command=execute_command), every_unit(units_of(bus), crash.on_the_way_of, ICommand):
        try:
            yield
        finally:
            crash.is_over = True


class _Crash:
    """Counts how often its point is passed."""

    def __init__(self, point: CrashPoint, how: Callable[[], object], nth: int) -> None:
        if nth < 1:
            raise ValueError(f"nth={nth} is never reached; 1 is the first time.")
        self._point, self._how, self._left = point, how, nth
        self.is_over = False

    def passed(self, point: CrashPoint) -> None:
        """Crash, if this is the point and the time."""
        if point is self._point and not self.is_over:
            self._left -= 1
            if self._left == 0:
                self._how()

    async def before_answer(self, answering: Coroutine[Any, Any, Any]) -> Any:
        """The answer to a caller, or to a handler that sent the command."""
        is_nested = running() is not None
        answer = await answering
        if not is_nested:
            self.passed(CrashPoint.BEFORE_ANSWER)
        return answer

    def on_the_way_of(self, unit: UnitOfWork) -> None:
        """Let a unit of work, just opened, tell which points it passes."""
        self.passed(CrashPoint.BEFORE_HANDLER)
        really_collect, really_commit = unit.collect_events, unit.commit

        async def collect_events() -> Sequence[RaisedEvent]:
            replace(unit, collect_events=really_collect)  # the first time is after the handler, others after reactions
            self.passed(CrashPoint.AFTER_HANDLER)
            return await really_collect()

        async def commit() -> None:
            self.passed(CrashPoint.AFTER_EVENT_ROWS)
            await really_commit()
            self.passed(CrashPoint.AFTER_COMMIT)

        replace(unit, collect_events=collect_events, commit=commit)
