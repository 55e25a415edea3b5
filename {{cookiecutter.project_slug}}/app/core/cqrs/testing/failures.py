"""Makes commits fail in any units of work, including those of a real database.

    with failing_commits(bus, times=2):
        result = await bus.execute_command(CreateUserCommand(...))
    assert result.is_success, "@retry_on_failure tried it three times"

Reactions commit too, after the command: `of=CreateUserCommand` leaves them alone, and `of=UserCreated` selects them.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from app.core.cqrs import CQRSBus, CQRSError, ServiceUnavailableError, TransientError, UnitOfWork, UnitsOfWork
from app.core.cqrs.testing.seams import every_unit, replace, units_of


class FailingCommits:
    """While entered, makes commits fail as ordered, one commit for each order; further commits succeed.

    Args:
        units: the units of work whose commits fail; those of a bus are `bus.ports.units`.
        of: the class of the commands or events whose commits fail; `object` for all.
    """

    def __init__(self, units: UnitsOfWork, of: type = object) -> None:
        self.failed = 0
        """The number of commits that have failed so far."""
        self._units, self._of = units, of
        self._orders: deque[tuple[Exception, bool]] = deque()
        self._entered = ExitStack()

    def fail_commits(self, times: int = 1, error: Exception | None = None) -> None:
        """Make the next commits fail before anything is stored: the unit is rolled back.

        Args:
            times: the number of commits.
            error: the exception they raise; None: that of a collision with another transaction (SQLSTATE 40001).
        """
        self._orders.extend((error or collision(), False) for _ in range(times))

    def lose_answers(self, times: int = 1) -> None:
        """Make the next `times` commits succeed but raise, as when the connection breaks during the COMMIT."""
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
    """Make the next commits on a bus fail before anything is stored; see `FailingCommits`."""
    with FailingCommits(units_of(bus), of) as failing:
        failing.fail_commits(times, error)
        yield failing


@contextmanager
def lost_answers(bus: CQRSBus, times: int = 1, of: type = object) -> Iterator[FailingCommits]:
    """Make the next commits on a bus succeed but raise: a retry could do the work twice."""
    with FailingCommits(units_of(bus), of) as failing:
        failing.lose_answers(times)
        yield failing


def collision() -> CQRSError:
    """The error for SQLSTATE 40001: nothing was stored, and a retry is safe."""
    error = TransientError("Another transaction was in the way, try again in a moment.")
    error.must_roll_back = True
    return error


def lost_answer() -> CQRSError:
    """The error for a connection that breaks during the COMMIT: the outcome is unknown."""
    error = ServiceUnavailableError("The connection was lost during the COMMIT: check whether this was done.")
    error.must_roll_back = True
    return error
