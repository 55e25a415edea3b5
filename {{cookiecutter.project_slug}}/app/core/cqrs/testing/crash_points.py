"""Ends the process at a chosen moment, to test what is stored then and what a second attempt finds.

    with crash_at(bus, CrashPoint.AFTER_COMMIT):
        await bus.execute_command(CreateUserCommand(...))  # the last thing this process does

Run this in a child process of the test. In the test's own process, pass a function that raises as `how`.
"""

import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from app.core.cqrs import CQRSBus, ICommand, RaisedEvent, UnitOfWork
from app.core.cqrs.operation import running
from app.core.cqrs.testing.seams import every_unit, replace, replaced, units_of


class CrashPoint(StrEnum):
    """The moments in the execution of a transactional command, in order.

    All but the last belong to the command's unit of work: each attempt passes them. Units of work of reactions do not.
    """

    BEFORE_HANDLER = "before_handler"
    """The unit of work is open and unused: not even the idempotency key is claimed."""
    AFTER_HANDLER = "after_handler"
    """The handler has ended; no in-transaction reaction has run, and no event is written."""
    AFTER_EVENT_ROWS = "after_event_rows"
    """All rows are written; the COMMIT is next."""
    AFTER_COMMIT = "after_commit"
    """The commit has succeeded, and no caller has been told yet."""
    BEFORE_ANSWER = "before_answer"
    """The outermost command has its result, which its caller has not received yet."""


def kill_process() -> None:
    """End this process as `kill -9` does, without closing or undoing anything."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def crash_at(
    bus: CQRSBus, point: CrashPoint | str, how: Callable[[], object] = kill_process, nth: int = 1
) -> Iterator[None]:
    """Crash once, when a command passes the point.

    Args:
        bus: the bus that runs the commands.
        point: the moment of the crash: a CrashPoint, or its value.
        how: called at that moment; an exception that it raises propagates from there.
        nth: the passing of the point at which to crash; 1 is the first.

    Raises:
        ValueError: if `nth` is less than 1.
        ConfigurationError: if the bus has no units of work.
    """
    crash = _Crash(CrashPoint(point), how, nth)
    answering = crash.answering(bus.execute_command)
    with replaced(bus, execute_command=answering), every_unit(units_of(bus), crash.on_the_way_of, ICommand):
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
        """Crash if this is the chosen passing of the chosen point."""
        if point is self._point and not self.is_over:
            self._left -= 1
            if self._left == 0:
                self._how()

    def answering(
        self, execute: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        """Make the bus report the results of commands."""
        return lambda command: self.before_answer(execute(command))

    async def before_answer(self, answering: Coroutine[Any, Any, Any]) -> Any:
        """Await the result of a command; that of an outermost command passes BEFORE_ANSWER."""
        is_nested = running() is not None
        answer = await answering
        if not is_nested:
            self.passed(CrashPoint.BEFORE_ANSWER)
        return answer

    def on_the_way_of(self, unit: UnitOfWork) -> None:
        """Make a newly opened unit of work report the points that it passes."""
        self.passed(CrashPoint.BEFORE_HANDLER)
        really_collect, really_commit = unit.collect_events, unit.commit

        async def collect_events() -> Sequence[RaisedEvent]:
            replace(unit, collect_events=really_collect)  # the first call follows the handler, others reactions
            self.passed(CrashPoint.AFTER_HANDLER)
            return await really_collect()

        async def commit() -> None:
            self.passed(CrashPoint.AFTER_EVENT_ROWS)
            await really_commit()
            self.passed(CrashPoint.AFTER_COMMIT)

        replace(unit, collect_events=collect_events, commit=commit)
