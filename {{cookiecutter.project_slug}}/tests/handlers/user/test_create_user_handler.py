import asyncio

import pytest

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.user.get_user_handler import GetUserQuery
from app.persistence.engine.database import Database
from app.persistence.tables import idempotency_keys, users
from tests.rows import events_of, rows_of
from tests.users import PASSWORD, People, create_user


async def test_a_new_user_can_log_in_and_is_a_member(people: People) -> None:
    ada = await people.member(email="Ada@Example.org", username="ada")
    assert (await ada.login()).is_success
    user = (await ada.query(GetUserQuery(ada.id))).unwrap()
    assert (user.email, user.roles, user.is_active) == ("Ada@Example.org", ("member",), True)


async def test_the_event_is_stored_with_the_user(service: RunningService, people: People) -> None:
    ada = await people.member()
    (event,) = await events_of(service, "User")
    assert (event.event_type, event.aggregate_type, event.aggregate_id, event.version) == (
        "UserCreated",
        "User",
        str(ada.id),
        1,
    )
    assert event.payload["email"] == ada.email
    assert "password" not in str(event)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"username": "other", "email": "ADA@example.org"}, {"email"}),
        ({"username": "ADA", "email": "other@example.org"}, {"username"}),
        ({"username": "Ada", "email": "Ada@example.org"}, {"email", "username"}),
        ({"username": "other", "email": "STRASSE@example.org"}, {"email"}),
    ],
)
async def test_what_is_taken_is_refused_by_name_whatever_its_case(
    bus: CQRSBus, fields: dict[str, str], named: set[str]
) -> None:
    (await bus.execute_command(create_user())).unwrap()
    (await bus.execute_command(create_user(username="strasse", email="straße@example.org"))).unwrap()
    result = await bus.execute_command(create_user(**fields))
    assert result.status is OperationStatus.CONFLICT
    assert set(result.errors) == named


async def test_of_fifty_at_once_with_one_address_one_succeeds(service: RunningService) -> None:
    commands = [create_user(username=f"ada{number}") for number in range(50)]
    results = await asyncio.gather(*map(service.bus.execute_command, commands))
    refused = [result for result in results if result.is_failure]
    assert len(refused) == 49
    assert {(result.status, *result.errors) for result in refused} == {(OperationStatus.CONFLICT, "email")}
    assert len(await rows_of(service, users)) == len(await events_of(service, "User")) == 1


async def test_fifty_at_once_under_one_key_have_one_effect_and_one_answer(service: RunningService) -> None:
    commands = [create_user() for _ in range(50)]
    for command in commands:
        command.metadata.idempotency_key = "the same"
    results = await asyncio.gather(*map(service.bus.execute_command, commands))
    assert {(result.status, result.data) for result in results} == {(OperationStatus.CREATED, results[0].data)}
    assert len(await rows_of(service, users)) == 1
    (kept,) = await rows_of(service, idempotency_keys)
    assert PASSWORD.encode() not in b"".join((kept.digest, kept.fingerprint, kept.answer))


async def test_a_key_that_was_used_for_another_user_is_refused(bus: CQRSBus) -> None:
    for command, status in (
        (create_user(), OperationStatus.CREATED),
        (create_user(password="another password"), OperationStatus.VALIDATION_ERROR),
    ):
        command.metadata.idempotency_key = "the same"
        assert (await bus.execute_command(command)).status is status


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "ada"),
        ("email", "ada@localhost"),
        ("email", "a@b@example.org"),
        ("email", "ada @example.org"),
        ("email", f"{'a' * 250}@example.org"),
        ("email", f"{'ä' * 130}@example.org"),
        ("email", "nul\x00@example.org"),
        ("email", "\ud800@example.org"),
        ("username", "ab"),
        ("username", "a" * 51),
        ("username", "ada@example.org"),
        ("username", ".ada"),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", "null \x00 byte"),
        ("password", "surrogate \udfff"),
        ("full_name", ""),
        ("full_name", " Ada"),
        ("full_name", "Ada\x07"),
        ("full_name", "x" * 201),
    ],
)
def test_what_is_not_valid_is_named(field: str, value: str) -> None:
    assert list(create_user(**{field: value}).validate()) == [field]


async def test_what_is_not_valid_is_refused(service: RunningService, bus: CQRSBus) -> None:
    result = await bus.execute_command(create_user(email="nul\x00@example.org", full_name="\ud800"))
    assert (result.status, set(result.errors)) == (OperationStatus.VALIDATION_ERROR, {"email", "full_name"})
    assert await rows_of(service, users) == []


async def test_unusual_text_that_is_valid_comes_back_as_it_was(service: RunningService, bus: CQRSBus) -> None:
    name = "Zoë 'Quote\" %_\\ 漢字 😀 " + "x" * 100
    (await bus.execute_command(create_user(full_name=name, email="ÄÖ+tag@exämple.org"))).unwrap()
    (stored,) = await rows_of(service, users)
    assert (stored.full_name, stored.email) == (name, "ÄÖ+tag@exämple.org")


def test_the_password_is_in_no_representation() -> None:
    assert PASSWORD not in repr(create_user()) + repr(create_user().new_user)


async def test_the_password_is_stored_as_a_hash(service: RunningService, people: People) -> None:
    await people.member()
    database = await service.container.get(Database)
    async with database.reading() as session:
        stored = await session.scalar(users.select().with_only_columns(users.c.password_hash))
    assert stored is not None
    assert stored.startswith("$argon2id$")
