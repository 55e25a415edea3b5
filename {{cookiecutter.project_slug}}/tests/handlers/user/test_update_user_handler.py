import asyncio
from dataclasses import asdict
from uuid import uuid4

from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.tables import users
from tests.rows import events_of, rows_of
from tests.users import People


async def test_the_answer_is_the_user_as_it_is_now(service: RunningService, people: People) -> None:
    ada, root = await people.member(full_name="Ada"), await people.administrator()
    result = await ada.command(UpdateUserCommand(ada.id, email="ada@example.com"))
    assert result.unwrap().email == "ada@example.com"
    assert result.affected_entities == {"user": str(ada.id), "changed": ["email"]}
    assert (await ada.query(GetUserQuery(ada.id))).unwrap().model_dump() == asdict(result.unwrap())
    assert (await ada.login()).is_success
    again = await ada.command(UpdateUserCommand(ada.id, full_name="Ada", email="ada@example.com"))
    assert again.affected_entities == {"user": str(ada.id), "changed": []}
    assert [row.event_type for row in await events_of(service, "User", ada.id)] == ["UserCreated", "UserUpdated"]
    assert (await root.command(UpdateUserCommand(uuid4(), full_name="Ada"))).status is OperationStatus.NOT_FOUND


async def test_an_address_that_somebody_else_has_is_refused(people: People) -> None:
    ada, bob = await people.member(), await people.member()
    result = await ada.command(UpdateUserCommand(ada.id, email=bob.email.upper()))
    assert result.status is OperationStatus.CONFLICT
    assert result.errors == {"email": "is taken"}
    assert (await ada.command(UpdateUserCommand(ada.id, email=ada.email.upper()))).is_success


async def test_of_many_at_once_each_is_done_or_told_that_it_was_not(service: RunningService, people: People) -> None:
    ada = await people.member()
    commands = [UpdateUserCommand(ada.id, full_name=f"Ada {number}") for number in range(30)]
    results = await asyncio.gather(*map(ada.command, commands))
    done = [result for result in results if result.is_success]
    assert {result.status for result in results} <= {OperationStatus.SUCCESS, OperationStatus.UNAVAILABLE}
    assert done
    (user,) = await rows_of(service, users)
    assert user.version == 1 + len(done)
    assert len(await events_of(service, "User")) == 1 + len(done)
