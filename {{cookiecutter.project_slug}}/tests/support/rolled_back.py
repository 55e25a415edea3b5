"""With `--rolled-back`, every command of a test is rolled back just before its COMMIT, and then executed again.

What the test asserts afterwards shows that the first execution left nothing behind, in the database or elsewhere. This
is how `make chaos` finds the commands of a service, and a state in which each of them succeeds.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from app.core.cqrs import CommandResult, CQRSBus, ICommand, UnitOfWork
from app.core.cqrs.operation import running
from app.core.cqrs.testing.seams import every_unit, replace, replaced, units_of

OPTION = "--rolled-back"
STATE = pytest.StashKey["RolledBack"]()


class RefusedError(Exception):
    """Raised in place of a COMMIT."""


class RolledBack:
    """Rolls commands back, and counts them."""

    def __init__(self) -> None:
        self.times: Counter[str] = Counter()
        """How often each command was rolled back, by the name of its class."""
        self.transactional: set[str] = set()
        """All commands of the service that have a transaction."""
        self._refusals: ContextVar[list[UnitOfWork] | None] = ContextVar("refusals", default=None)

    @contextmanager
    def before_each(self, bus: CQRSBus) -> Iterator[None]:
        """Inside, each command is first executed up to its COMMIT and rolled back, with those that it dispatches."""
        execute = bus.execute_command
        if not self.transactional:
            described = bus.describe()["commands"]
            self.transactional = {name for name, one in described.items() if "Transactional" in one["policies"]}

        async def execute_twice(command: ICommand[Any]) -> CommandResult[Any]:
            if running() is not None:
                return await execute(command)
            refusals: list[UnitOfWork] = []
            before = self._refusals.set(refusals)
            try:
                result = await execute(command)
            finally:
                self._refusals.reset(before)
            if not refusals:
                return result
            self.times[type(command).__name__] += 1
            return await execute(command)

        with replaced(bus, execute_command=execute_twice), every_unit(units_of(bus), self._refuse):
            yield

    def _refuse(self, unit: UnitOfWork) -> None:
        commit = unit.commit

        async def refuse() -> None:
            if (refusals := self._refusals.get()) is None:
                return await commit()
            refusals.append(unit)
            raise RefusedError

        replace(unit, commit=refuse)

    def __str__(self) -> str:
        unsent = self.transactional - self.times.keys()
        told = f"{self.times.total()} executions of {len(self.times)} commands were rolled back and repeated"
        return f"{told}; no test commits {', '.join(sorted(unsent))}" if unsent else told


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make chaos` ask for it."""
    parser.addoption(OPTION, action="store_true", help="roll every command back once before it is executed")


def pytest_configure(config: pytest.Config) -> None:
    """Count for all tests of this process."""
    config.stash[STATE] = RolledBack()


@pytest.fixture(autouse=True)
def _rolled_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """Roll back what the bus of the test's service executes, if the option asks for it."""
    if not request.config.getoption(OPTION) or "service" not in request.fixturenames:
        yield
        return
    with request.config.stash[STATE].before_each(request.getfixturevalue("service").bus):
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what was counted, if this process shares the work with others."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        state = session.config.stash[STATE]
        output[OPTION] = [dict(state.times), sorted(state.transactional)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what another process has counted, unless it crashed."""
    times, transactional = getattr(node, "workeroutput", {}).get(OPTION, ({}, ()))
    state = node.config.stash[STATE]
    state.times.update(times)
    state.transactional.update(transactional)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which commands were rolled back."""
    if config.getoption(OPTION):
        terminalreporter.write_line(str(config.stash[STATE]))
