import pytest

from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.domain.registration import NewUser
from app.domain.user import User
from app.handlers.user.batch_create_users_handler import BatchCreateUsersCommand
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import users
from tests.rows import events_of, rows_of
from tests.users import PASSWORD, People


def batch(*numbers: int) -> BatchCreateUsersCommand:
    return BatchCreateUsersCommand(
        tuple(NewUser(f"user{number}@example.org", f"user{number}", PASSWORD, f"User {number}") for number in numbers)
    )


async def test_all_are_created_in_the_order_given(service: RunningService, people: People) -> None:
    root = await people.administrator()
    result = await root.command(batch(*range(25)))
    assert result.status is OperationStatus.CREATED
    names = {row.id: row.username for row in await rows_of(service, users)}
    assert [names[user_id] for user_id in result.unwrap()] == [f"user{number}" for number in range(25)]


async def test_they_are_stored_a_few_at_a_time(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    root, sizes, add = await people.administrator(), list[int](), UserRepository.add

    async def noting(self: UserRepository, *new: User) -> None:
        sizes.append(len(new))
        await add(self, *new)

    monkeypatch.setattr(UserRepository, "add", noting)
    (await root.command(batch(*range(25)))).unwrap()
    assert sizes == [10, 10, 5]


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


async def test_members_may_not(people: People) -> None:
    assert (await (await people.member()).command(batch(1))).status is OperationStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("numbers", "named"),
    [((), {"users"}), (range(101), {"users"}), ((1, 2, 1), {"users.2.email", "users.2.username"})],
)
def test_what_is_wrong_is_named_with_its_place(numbers: range, named: set[str]) -> None:
    assert set(batch(*numbers).validate()) == named


async def test_each_user_has_the_rules_of_a_single_one(people: People) -> None:
    wrong = NewUser("nowhere", "x", "short", "")
    result = await (await people.administrator()).command(BatchCreateUsersCommand((*batch(1).users, wrong)))
    assert set(result.errors) == {f"users.1.{name}" for name in ("email", "username", "password", "full_name")}
