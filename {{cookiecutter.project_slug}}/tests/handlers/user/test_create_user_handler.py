import asyncio

from sqlalchemy import select

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.user.get_user_handler import GetUserQuery
from app.persistence.engine.database import Database
from app.persistence.tables import idempotency_keys, users
from tests.rows import events_of, rows_of
from tests.users import PASSWORD, People, create_user


async def test_a_new_user_is_a_member_and_the_event_is_stored_with_it(service: RunningService, people: People) -> None:
    ada = await people.member(email="Ada@Example.org", username="ada")
    assert (await ada.login()).is_success
    user = (await ada.query(GetUserQuery(ada.id))).unwrap()
    assert (user.email, user.roles, user.is_active) == ("Ada@Example.org", ("member",), True)
    (event,) = await events_of(service, "User")
    assert (event.event_type, event.aggregate_id, event.version) == ("UserCreated", str(ada.id), 1)
    assert event.payload["email"] == ada.email
    assert "password" not in str(event)
    database = await service.container.get(Database)
    async with database.reading() as session:
        (stored,) = await session.scalars(select(users.c.password_hash))
    assert stored.startswith("$argon2id$")


async def test_what_is_taken_is_refused_by_name_whatever_its_case(bus: CQRSBus) -> None:
    (await bus.execute_command(create_user())).unwrap()
    (await bus.execute_command(create_user(username="strasse", email="straße@example.org"))).unwrap()
    for username, email, named in (
        ("other", "ADA@example.org", {"email"}),
        ("ADA", "other@example.org", {"username"}),
        ("Ada", "Ada@example.org", {"email", "username"}),
        ("other", "STRASSE@example.org", {"email"}),
    ):
        result = await bus.execute_command(create_user(username=username, email=email))
        assert (result.status, set(result.errors)) == (OperationStatus.CONFLICT, named), (username, email)


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
    other = create_user(password="another password")
    other.metadata.idempotency_key = "the same"
    assert (await service.bus.execute_command(other)).status is OperationStatus.VALIDATION_ERROR


async def test_unusual_text_is_refused_or_comes_back_as_it_was(service: RunningService, bus: CQRSBus) -> None:
    refused = await bus.execute_command(create_user(email="nul\x00@example.org", full_name="\ud800"))
    assert (refused.status, set(refused.errors)) == (OperationStatus.VALIDATION_ERROR, {"email", "full_name"})
    name = "Zoë 'Quote\" %_\\ 漢字 😀 " + "x" * 100
    (await bus.execute_command(create_user(full_name=name, email="ÄÖ+tag@exämple.org"))).unwrap()
    (stored,) = await rows_of(service, users)
    assert (stored.full_name, stored.email) == (name, "ÄÖ+tag@exämple.org")
