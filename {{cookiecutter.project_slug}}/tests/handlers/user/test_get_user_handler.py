from uuid import uuid4

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.update_user_handler import UpdateUserCommand
from tests.users import People


async def test_members_read_themselves_and_nobody_else(bus: CQRSBus, people: People) -> None:
    ada, bob = await people.member(), await people.member()
    assert (await ada.query(GetUserQuery(ada.id))).unwrap().email == ada.email
    assert (await ada.query(GetUserQuery(bob.id))).status is OperationStatus.FORBIDDEN
    assert (await bus.execute_query(GetUserQuery(ada.id))).status is OperationStatus.UNAUTHENTICATED


async def test_administrators_read_everybody(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    assert (await root.query(GetUserQuery(ada.id))).unwrap().id == ada.id
    assert (await root.query(GetUserQuery(uuid4()))).status is OperationStatus.NOT_FOUND


async def test_inactive_users_are_read_only_where_asked_for(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    assert (await root.query(GetUserQuery(ada.id))).status is OperationStatus.NOT_FOUND
    assert (await root.query(GetUserQuery(ada.id, include_inactive=True))).unwrap().is_active is False


async def test_the_answer_is_kept_until_the_user_changes(people: People) -> None:
    ada = await people.member(full_name="Ada")
    hits = []
    for name in ("Ada", "Ada", "Ada King"):
        if name == "Ada King":
            (await ada.command(UpdateUserCommand(ada.id, full_name=name))).unwrap()
        read = await ada.query(GetUserQuery(ada.id))
        assert read.unwrap().full_name == name
        assert read.cache_info is not None
        hits.append(read.cache_info["hit"])
    assert hits == [False, True, False]


async def test_a_caller_who_is_unknown_or_inactive_is_not_authenticated(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    assert (await ada.query(GetUserQuery(ada.id))).is_success
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    assert (await ada.query(GetUserQuery(ada.id))).status is OperationStatus.UNAUTHENTICATED
    query = GetUserQuery(ada.id)
    query.metadata.user_id = "not even an id"
    assert (await root.bus.execute_query(query)).status is OperationStatus.UNAUTHENTICATED
