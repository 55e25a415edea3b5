from typing import Any

from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.find_users_handler import FindUsersQuery
from app.read_models.pages import page_info
from tests.users import People, Person


async def found(asker: Person, **filters: Any) -> set[str]:
    return {user.username for user in (await asker.query(FindUsersQuery(**filters))).unwrap()}


async def test_filters_narrow_the_list(people: People) -> None:
    root = await people.administrator()
    ada = await people.member(email="Ada_1@example.org", username="ada")
    await people.member(email="bob@Example.com", username="bob")
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    assert await found(root) == {root.username, "ada", "bob"}
    assert await found(root, email_contains="ADA") == {"ada"}
    assert await found(root, email_contains="a_1") == {"ada"}
    assert await found(root, email_contains="%") == set()
    assert await found(root, email_contains="_", is_active=True) == set()
    assert await found(root, role="admin") == {root.username}
    assert await found(root, role="unheard of") == set()
    assert await found(root, is_active=False) == {"ada"}
    assert await found(root, is_active=True, email_contains="example.com") == {"bob"}


async def test_pages_add_up_to_the_whole_the_newest_first(people: People) -> None:
    root = await people.administrator()
    members = [await people.member() for _ in range(4)]
    pages = [await root.query(FindUsersQuery(page=page, page_size=2)) for page in (1, 2, 3, 4)]
    names = [user.username for page in pages for user in page.unwrap()]
    assert names == [person.username for person in reversed([root, *members])]
    assert [page.pagination for page in pages] == [page_info(page, 2, 5) for page in (1, 2, 3, 4)]
    assert (await root.query(FindUsersQuery(page=2**31 - 1, page_size=100))).unwrap() == []


async def test_the_list_is_kept_with_its_pages_until_a_user_changes(people: People) -> None:
    root = await people.administrator()
    first, second = [await root.query(FindUsersQuery()) for _ in range(2)]
    assert second.cache_info and second.cache_info["hit"]
    assert second.pagination == first.pagination
    assert second.unwrap() == first.unwrap()
    await people.member()
    assert len((await root.query(FindUsersQuery())).unwrap()) == 2
