"""Commits that fail, of any units of work, the database's own too.

    with failing_commits(bus, times=2):
        result = await bus.execute_command(CreateUserCommand(...))
    assert result.is_success, "@retry_on_failure tried it three times"

Reactions commit too, behind the back of a command: `of=CreateUserCommand` leaves them alone, and `of=UserCreated`
is for them.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.errors import CQRSError, ServiceUnavailableError, TransientError
from app.core.cqrs.ports import UnitOfWork, UnitsOfWork
from app.core.cqrs.testing.seams import every_unit, replace, units_of


class FailingCommits:
    """While it is entered, lets commits fail as ordered, one order after the other; all others succeed.

    Args:
        units: whose commits; those of a bus are `bus.ports.units`.
        of: the class of the commands or events whose commits fail; `object` for all.
    """

    def __init__(self, units: UnitsOfWork, of: type = object) -> None:
        self.failed = 0
        """How many commits have failed so far."""
        self._units, self._of = units, of
        self._orders: deque[tuple[Exception, bool]] = deque()
        self._entered = ExitStack()

    def fail_commits(self, times: int = 1, error: Exception | None = None) -> None:
        """Let so many commits fail before anything is stored: the unit is rolled back.

        Args:
            times: how many.
            error: what they raise; None: what a collision with another transaction becomes (SQLSTATE 40001).
        """
        self._orders.extend((error or collision(), False) for _ in range(times))

    def lose_answers(self, times: int = 1) -> None:
        """Let so many commits succeed without anybody hearing of it, as when the connection breaks in the COMMIT."""
        self._orders.extend((lost_answer(), True) for _ in range(times))

    def __enter__(self) -> Self:
        self._entered.enter_context(every_unit(self._units, self._prepare, self._of))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._orders.clear()
        self._entered.close()

    def _prepare(self, unit: UnitOfWork) -> None:
        really_commit = unit.commit

        async def commit() -> None:
            if not self._orders:
                return await really_commit()
            error, is_stored = self._orders.popleft()
            self.failed += 1
            await (really_commit() if is_stored else unit.rollback())
            raise error

        replace(unit, commit=commit)


@contextmanager
def failing_commits(
    bus: CQRSBus, times: int = 1, error: Exception | None = None, of: type = object
) -> Iterator[FailingCommits]:
    """Let the next commits on a bus fail before anything is stored; see `FailingCommits`."""
    with FailingCommits(units_of(bus), of) as failing:
        failing.fail_commits(times, error)
        yield failing


@contextmanager
def lost_answers(bus: CQRSBus, times: int = 1, of: type = object) -> Iterator[FailingCommits]:
    """Let the next commits on a bus succeed without anybody hearing of it: to try again would do it twice."""
    with FailingCommits(units_of(bus), of) as failing:
        failing.lose_answers(times)
        yield failing


def collision() -> CQRSError:
    """What SQLSTATE 40001 becomes: nothing was done, and it may be tried again."""
    error = TransientError("Another transaction was in the way, try again in a moment.")
    error.must_roll_back = True
    return error


def lost_answer() -> CQRSError:
    """What a connection that breaks in the COMMIT becomes: nobody knows what was done."""
    error = ServiceUnavailableError("The database was lost at the last moment: check whether this was done.")
    error.must_roll_back = True
    return error
