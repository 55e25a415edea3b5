from typing import Any

import pytest

from app.adapters.password_argon2 import HASHES_FOR_EACH_THREAD
from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.domain.ports import PasswordHasher
from app.domain.registration import NewUser
from app.domain.user import User
from app.handlers.user.batch_create_users_handler import MOST_USERS, BatchCreateUsersCommand
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import users
from tests.rows import events_of, rows_of
from tests.users import PASSWORD, People


def batch(*numbers: int) -> BatchCreateUsersCommand:
    return BatchCreateUsersCommand(
        tuple(NewUser(f"user{number}@example.org", f"user{number}", PASSWORD, f"User {number}") for number in numbers)
    )


async def test_they_are_stored_a_few_at_a_time_in_the_order_given(
    service: RunningService, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, sizes, add = await people.administrator(), list[int](), UserRepository.add

    async def noting(self: UserRepository, *new: User) -> None:
        sizes.append(len(new))
        await add(self, *new)

    monkeypatch.setattr(UserRepository, "add", noting)
    result = await root.command(batch(*range(25)))
    assert (result.status, sizes[-3:]) == (OperationStatus.CREATED, [10, 10, 5])
    names = {row.id: row.username for row in await rows_of(service, users)}
    assert [names[user_id] for user_id in result.unwrap()] == [f"user{number}" for number in range(25)]


async def test_the_largest_batch_leaves_the_hasher_room_for_logins(
    service: RunningService, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, asked = await people.administrator(), list[int]()
    hasher: Any = await service.container.get(PasswordHasher)
    hash_one = hasher.hash

    async def noting(password: str) -> Any:
        asked.append(hasher._asked)
        return await hash_one(password)

    monkeypatch.setattr(hasher, "_most", HASHES_FOR_EACH_THREAD)  # as with one thread, the least
    monkeypatch.setattr(hasher, "hash", noting)
    result = await root.command(batch(*range(MOST_USERS)))
    assert (result.status, len(result.unwrap())) == (OperationStatus.CREATED, MOST_USERS)
    assert max(asked) < HASHES_FOR_EACH_THREAD / 2


async def test_all_or_nothing(service: RunningService, people: People) -> None:
    root = await people.administrator()
    await people.member(email="USER15@example.org", username="somebody")
    before = len(await events_of(service, "User"))
    result = await root.command(batch(*range(20)))
    assert (result.status, result.errors) == (OperationStatus.CONFLICT, {"email": "is taken"})
    assert len(await rows_of(service, users)) == 2
    assert len(await events_of(service, "User")) == before


async def test_who_lost_the_answer_asks_again_under_the_same_key(service: RunningService, people: People) -> None:
    root, commands = await people.administrator(), [batch(1, 2), batch(1, 2)]
    for command in commands:
        command.metadata.idempotency_key = "import 17"
    first, again = [await root.command(command) for command in commands]
    assert (again.status, again.data, again.is_replay) == (OperationStatus.CREATED, first.data, True)
    assert len(await rows_of(service, users)) == 3
