"""`--rolled-back`: each command is executed up to its COMMIT, rolled back, and executed again."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.composition.container import RunningService
from app.core.cqrs import ConflictError
from app.persistence.tables import registrations
from support.given import Do, DoPart, DoPlainly, DoRepeatedly, write
from tests.rows import rows_of
from tests.support.rolled_back import RolledBack


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


@pytest.fixture
def rolled_back(service: RunningService) -> Iterator[RolledBack]:
    """What was rolled back on the service's bus."""
    state = RolledBack()
    with state.before_each(service.bus):
        yield state


async def executions(service: RunningService, command_type: type[Any], fails: bool = False) -> tuple[int, int]:
    """How often the handler ran, and how many rows there are afterwards."""
    ran = []

    async def body(handler: Any) -> str:
        ran.append(handler)
        if command_type is not DoPlainly:
            await write(handler)
        if fails:
            raise ConflictError("It is there already.")
        return "done"

    result = await service.bus.execute_command(command_type(body))
    assert result.is_failure if fails else result.unwrap() == "done"
    return len(ran), len(await rows_of(service, registrations))


@pytest.mark.parametrize("command_type", [Do, DoRepeatedly])
async def test_the_first_execution_is_undone(
    service: RunningService, rolled_back: RolledBack, command_type: type[Any]
) -> None:
    assert await executions(service, command_type) == (2, 1)
    assert rolled_back.times == {command_type.__name__: 1}


async def test_a_part_of_another_is_not_repeated_by_itself(service: RunningService, rolled_back: RolledBack) -> None:
    async def body(handler: Any) -> str:
        await handler.bus.execute_command(DoPart(write))
        return "done"

    (await service.bus.execute_command(Do(body))).unwrap()
    assert len(await rows_of(service, registrations)) == 1
    assert rolled_back.times == {"Do": 1}


async def test_what_does_not_commit_runs_once(service: RunningService, rolled_back: RolledBack) -> None:
    assert await executions(service, Do, fails=True) == (1, 0)
    assert await executions(service, DoPlainly) == (1, 0)
    assert rolled_back.times == {}


async def test_it_says_which_commands_no_test_commits(service: RunningService, rolled_back: RolledBack) -> None:
    await executions(service, Do)
    said = str(rolled_back)
    assert said.startswith("1 executions of 1 commands were rolled back and repeated; no test commits ")
    unsent = said.rpartition("commits ")[2].split(", ")
    assert {"CreateUserCommand", "DoPart"} <= {*unsent}
    assert {"Do", "DoPlainly"} & {*unsent} == set()


async def test_afterwards_the_bus_is_as_it_was(service: RunningService) -> None:
    with RolledBack().before_each(service.bus):
        pass
    assert await executions(service, Do) == (1, 1)
