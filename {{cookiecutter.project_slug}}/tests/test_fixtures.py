"""What tests are given: each begins with the same, and what needs a server says so."""

import pytest

from tests.databases import Databases, PostgresDatabases
from tests.users import People, create_user


@pytest.mark.parametrize("time", ["the first time", "again"])
async def test_every_test_has_a_database_in_which_nothing_happened_yet(people: People, time: str) -> None:
    ada = await people.member(email="ada@example.org", username="ada")
    assert (await ada.login()).is_success, "in the test before she was registered already, under the same address"


def test_made_up_data_is_valid_and_differs_only_where_asked() -> None:
    assert create_user() == create_user()
    assert create_user().validate() == {}
    assert list(create_user(email="nobody").validate()) == ["email"]


async def test_what_needs_a_server_is_marked_and_asynchronous_tests_need_no_mark(
    request: pytest.FixtureRequest, databases: Databases
) -> None:
    marked = request.node.get_closest_marker("integration") is not None
    assert marked is isinstance(databases, PostgresDatabases)
