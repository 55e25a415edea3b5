from uuid import uuid4

from app.core.cqrs import OperationStatus
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.update_user_handler import UpdateUserCommand
from tests.users import People


async def test_who_is_inactive_is_read_only_where_asked_for_and_reads_nothing(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    for reader in (ada, root):
        assert (await reader.query(GetUserQuery(ada.id))).unwrap().email == ada.email
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    for user_id in (ada.id, uuid4()):
        assert (await root.query(GetUserQuery(user_id))).status is OperationStatus.NOT_FOUND
    assert (await root.query(GetUserQuery(ada.id, include_inactive=True))).unwrap().is_active is False
    query = GetUserQuery(ada.id)
    for caller in (str(ada.id), "not even an id"):
        query.metadata.user_id = caller
        assert (await root.bus.execute_query(query)).status is OperationStatus.UNAUTHENTICATED


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
