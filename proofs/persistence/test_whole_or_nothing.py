"""What is answered as done is stored: whatever failed inside, and whoever passed over it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from app.composition.container import RunningService
from app.core.cqrs import (
    AuthenticationError,
    BusinessRuleViolationError,
    CommandResult,
    ConfigurationError,
    ConflictError,
    CQRSError,
    NextHandler,
    OperationResult,
    OperationStatus,
    ResourceNotFoundError,
    savepoint,
)
from app.core.ids import uuid7
from app.domain.user import User
from app.persistence.event_tables import inbox
from app.persistence.tables import registrations, users
from support import given
from support.given import Do, DoDryly, DoKeeping, DoPart, DoPlainly, DoRepeatedly, Look, Noted, write
from tests.core.cqrs.support import PATIENCE
from tests.rows import events_of, rows_of
from tests.users import People


async def collide(handler: Any) -> None:
    """A statement that fails: a role that is there already."""
    row = {"event_id": uuid7(), "handler": "same", "received_at": datetime.now(UTC)}
    await handler.session.execute(insert(inbox).values(row))
    await handler.session.execute(insert(inbox).values(row))


async def misspell(handler: Any) -> None:
    """A statement that no database understands."""
    await handler.session.execute(text("SELEC 1"))


async def send_nonsense(handler: Any) -> None:
    """A value that does not reach the database."""
    await handler.session.execute(update(users).values(created_at=datetime(2020, 1, 1)))  # noqa: DTZ001


async def flush_a_twin(handler: Any) -> None:
    """An aggregate whose name is taken."""
    for _ in range(2):
        handler.session.add(user_called("twin"))
        await handler.session.flush()


def user_called(name: str) -> User:
    """A new user."""
    id_ = uuid7()
    return User(
        id=id_,
        email=f"{id_}@example.org",
        username=name,
        full_name="Twin",
        password_hash="x",
        created_at=datetime.now(UTC),
    )


FAILURES = [collide, misspell, send_nonsense, flush_a_twin]


async def stored(service: RunningService) -> int:
    """How many rows there are."""
    return len(await rows_of(service, registrations))


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


# A statement that failed


@pytest.mark.parametrize("fail", FAILURES)
async def test_a_statement_that_failed_is_not_passed_over(service: RunningService, fail: Any) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(Exception):
            await fail(handler)
        return "done"

    result = await service.bus.execute_command(Do(body))
    assert result.is_failure
    if fail in (collide, flush_a_twin):
        assert result.status is OperationStatus.CONFLICT, "what failed first is the answer"
    assert await stored(service) == 0


@pytest.mark.parametrize("fail", FAILURES)
async def test_nor_in_a_reaction_inside(service: RunningService, fail: Any) -> None:
    async def react(handler: Any) -> None:
        with suppress(Exception):
            await fail(handler)

    async def body(handler: Any) -> str:
        await write(handler)
        await handler.bus.publish_event(Noted(key="inside"))
        return "done"

    given.inside["inside"] = react
    assert (await service.bus.execute_command(Do(body))).is_failure
    assert await stored(service) == 0


async def test_nor_in_a_reaction_after_the_commit(service: RunningService) -> None:
    tries: list[int] = []

    async def react(handler: Any) -> None:
        tries.append(1)
        await write(handler)
        with suppress(ConflictError):
            await collide(handler)

    given.after["after"] = react
    await service.bus.publish_event(Noted(key="after"))
    await service.bus.settled()
    assert tries
    assert await rows_of(service, inbox) == [], "it counts as failed, and will be done again"
    assert await stored(service) == 0


@pytest.mark.parametrize("fail", FAILURES)
async def test_what_is_done_after_it_does_not_help(service: RunningService, fail: Any) -> None:
    async def body(handler: Any) -> str:
        with suppress(Exception):
            await fail(handler)
        with suppress(Exception):
            await handler.session.rollback()
        await write(handler)
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_failure
    assert await stored(service) == 0


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("how", ["savepoint", "begin_nested", "by hand"])
async def test_a_savepoint_heals_it(service: RunningService, fail: Any, how: str) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(Exception):
            match how:
                case "savepoint":
                    async with savepoint():
                        await write(handler)
                        await fail(handler)
                case "begin_nested":
                    async with handler.session.begin_nested():
                        await write(handler)
                        await fail(handler)
                case _:
                    point = await handler.session.begin_nested()
                    try:
                        await write(handler)
                        await fail(handler)
                    finally:
                        await point.rollback()
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await stored(service) == 1


@pytest.mark.parametrize("how", ["savepoint", "begin_nested"])
async def test_a_savepoint_with_a_failure_in_it_is_not_released(service: RunningService, how: str) -> None:
    async def body(handler: Any) -> str:
        with suppress(ConflictError):
            async with savepoint() if how == "savepoint" else handler.session.begin_nested():
                await write(handler)
                with suppress(ConflictError):
                    await collide(handler)
        await write(handler)
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await stored(service) == 1


async def test_a_savepoint_that_is_made_after_it_does_not_heal_it(service: RunningService) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(ConflictError):
            await collide(handler)
        with suppress(Exception):
            async with savepoint():
                raise ConflictError("No.")
        return "done"

    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.CONFLICT
    assert await stored(service) == 0


async def test_errors_that_are_kept_keep_nothing_of_it(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        await write(handler)
        with suppress(ConflictError):
            await collide(handler)
        raise AuthenticationError("No.")

    assert (await service.bus.execute_command(DoKeeping(body))).is_failure
    assert await stored(service) == 0


async def test_a_lost_connection_is_not_passed_over(service: RunningService) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        connection = await handler.session.connection()
        raw = (await connection.get_raw_connection()).driver_connection
        with suppress(Exception):
            if service.settings.database_url.startswith("sqlite"):
                await handler.session.execute(text("ROLLBACK"))
            else:
                raw.terminate()
            await handler.session.execute(text("SELECT 1"))
            await handler.session.execute(text("ROLLBACK"))
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_failure
    assert await stored(service) == 0


async def test_a_statement_that_was_interrupted_is_not_passed_over(service: RunningService) -> None:
    slow = "SELECT pg_sleep(20)"
    if service.settings.database_url.startswith("sqlite"):
        slow = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 9e8) SELECT max(x) FROM n"

    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await handler.session.execute(text(slow))
        return "done"

    async with asyncio.timeout(PATIENCE):  # nobody waits for the statement, which takes minutes on SQLite
        assert (await service.bus.execute_command(Do(body))).is_failure
    assert await stored(service) == 0


@pytest.mark.parametrize("how", ["rollback", "close", "commit"])
async def test_a_handler_does_not_end_the_transaction_itself(service: RunningService, how: str) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(Exception):
            await getattr(handler.session, how)()
        await write(handler)
        return "done"

    result = await service.bus.execute_command(Do(body))
    if how == "commit":
        assert await stored(service) == (2 if result.is_success else 0), "all or nothing"
    else:
        assert result.is_failure
        assert f"session.{how}()" in str(result.error_message)
        assert await stored(service) == 0


async def test_a_handler_that_commits_is_told_how(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        await write(handler)
        await handler.session.commit()

    result = await service.bus.execute_command(Do(body))
    assert "its unit of work commits" in str(result.error_message)
    assert await stored(service) == 0


# Hooks that tell about a result


@pytest.mark.parametrize("passes_over", [False, True])
@pytest.mark.parametrize("fail", FAILURES)
async def test_a_hook_that_fails_undoes_nothing(service: RunningService, fail: Any, passes_over: bool) -> None:
    async def told(handler: Any) -> dict[str, Any]:
        if passes_over:
            with suppress(Exception):
                await fail(handler)
        else:
            await fail(handler)
        return {}

    async def body(handler: Any) -> str:
        await write(handler)
        await handler.bus.publish_event(Noted(key="told"))
        return "done"

    result: CommandResult[Any] = await service.bus.execute_command(Do(body, told))
    assert (result.unwrap(), result.affected_entities) == ("done", None)
    assert await stored(service) == 1


async def test_a_hook_that_tells_something_is_heard(service: RunningService) -> None:
    async def told(handler: Any) -> dict[str, Any]:
        return {"rows": len((await handler.session.execute(registrations.select())).all())}

    assert (await service.bus.execute_command(Do(write, told))).affected_entities == {"rows": 1}


async def test_what_waited_to_be_written_is_no_failure_of_the_hook(service: RunningService, people: People) -> None:
    ada, grace = await people.member(), await people.member()

    async def body(handler: Any) -> str:
        user = await handler.session.get_one(User, ada.id)
        user.update(email=grace.email)
        return "done"

    result = await service.bus.execute_command(Do(body, write))
    assert result.status is OperationStatus.CONFLICT


@pytest.mark.parametrize("fail", FAILURES)
async def test_a_hook_of_a_query_inside_undoes_nothing(service: RunningService, fail: Any) -> None:
    async def body(handler: Any) -> Any:
        await write(handler)
        return (await handler.bus.execute_query(Look(given.nothing, misspell))).pagination

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await stored(service) == 1


# A dry run


async def add_twins(handler: Any) -> None:
    """Two aggregates with one name, which nothing has written yet."""
    handler.session.add_all([user_called("twin"), user_called("twin")])


async def pass_over_a_collision(handler: Any) -> None:
    """A statement that failed, and an error that is ignored."""
    with suppress(ConflictError):
        await collide(handler)


async def publish_what_is_refused(handler: Any) -> None:
    """An event whose reaction in the transaction fails."""
    await handler.bus.publish_event(Noted(key="refused"))


async def publish_twice(handler: Any) -> None:
    """An event that cannot be in the log twice."""
    event = Noted(key="again")
    for _ in range(2):
        await handler.bus.publish_event(event)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (write, OperationStatus.SUCCESS),
        (add_twins, OperationStatus.CONFLICT),
        (pass_over_a_collision, OperationStatus.CONFLICT),
        (publish_what_is_refused, OperationStatus.BUSINESS_RULE),
        (publish_twice, OperationStatus.FAILED),
    ],
)
async def test_a_dry_run_says_what_the_command_would_say(service: RunningService, body: Any, status: Any) -> None:
    given.inside["refused"] = refuse
    dry = await service.bus.execute_command(DoDryly(body))
    assert await stored(service) == 0
    real = await service.bus.execute_command(Do(body))
    assert (dry.status, real.status) == (status, status)
    assert await stored(service) == (1 if body is write else 0)


@pytest.mark.integration
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
async def test_a_dry_run_checks_what_is_deferred_to_the_commit(service: RunningService) -> None:
    async def store_twice(handler: Any) -> None:
        await handler.session.execute(text("CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        await handler.session.execute(text("INSERT INTO late VALUES (1), (1)"))

    for command in (DoDryly(store_twice), Do(store_twice)):
        assert (await service.bus.execute_command(command)).status is OperationStatus.CONFLICT


async def test_an_event_that_is_published_twice_is_told_as_what_it_is(service: RunningService) -> None:
    event = Noted(key="again")
    assert (await service.bus.execute_command(Do(publish_twice))).error_message == TWICE
    await service.bus.publish_event(event)
    with pytest.raises(CQRSError, match="make a new one"):
        await service.bus.publish_event(event)


TWICE = "An event was published twice: what happens again is a new event, so make a new one."


# A nested command that failed


async def refuse(handler: Any) -> None:
    """Write something, and fail."""
    await write(handler)
    raise BusinessRuleViolationError("Not on Sundays.")


async def fail_with_a_result(handler: Any) -> Any:
    """Write something, and answer a failure."""
    await write(handler)
    return CommandResult[Any].failure(OperationStatus.BUSINESS_RULE, {}, "Not on Sundays.")


@pytest.mark.parametrize("part", [refuse, fail_with_a_result, collide])
async def test_a_nested_command_that_failed_undoes_all_whoever_caught_that(service: RunningService, part: Any) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(Exception):
            await handler.bus.execute_command(DoPart(part))
        return "done"

    result = await service.bus.execute_command(Do(body))
    assert result.status in (OperationStatus.BUSINESS_RULE, OperationStatus.CONFLICT), "the first cause"
    assert await stored(service) == 0


async def test_nor_is_it_stored_by_one_in_between(service: RunningService) -> None:
    async def middle(handler: Any) -> str:
        with suppress(BusinessRuleViolationError):
            await handler.bus.execute_command(DoPart(refuse))
        return "done"

    async def body(handler: Any) -> None:
        await handler.bus.execute_command(DoPart(middle))

    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.BUSINESS_RULE
    assert await stored(service) == 0


async def test_nor_one_without_a_transaction_of_its_own_that_joined(service: RunningService) -> None:
    async def plain(handler: Any) -> None:
        await handler.bus.execute_command(DoPart(write))
        raise ResourceNotFoundError("No.")

    async def body(handler: Any) -> str:
        with suppress(ResourceNotFoundError):
            await handler.bus.execute_command(DoPlainly(plain))
        return "done"

    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.NOT_FOUND
    assert await stored(service) == 0


@pytest.mark.parametrize("part", [refuse, fail_with_a_result, collide])
async def test_nor_where_a_middleware_answers_that_it_succeeded(service: RunningService, part: Any) -> None:
    async def forgive(command: Any, next_handler: NextHandler) -> OperationResult[Any]:
        if isinstance(command, Do):
            return await next_handler()
        with suppress(CQRSError):
            await next_handler()
        return CommandResult.success("skipped")

    async def body(handler: Any) -> None:
        await write(handler)
        assert (await handler.bus.execute_command(DoPart(part))).unwrap() == "skipped"

    service.bus.add_command_middleware(forgive)
    assert (await service.bus.execute_command(DoPart(part))).unwrap() == "skipped"
    assert await stored(service) == 0, "outermost it was rolled back"
    assert (await service.bus.execute_command(Do(body))).is_failure
    assert await stored(service) == 0


async def test_nor_one_that_was_interrupted(service: RunningService) -> None:
    async def part(handler: Any) -> None:
        await write(handler)
        await asyncio.Event().wait()

    async def body(handler: Any) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await handler.bus.execute_command(DoPart(part))
        return "done"

    result = await service.bus.execute_command(Do(body))
    assert result.status is OperationStatus.UNAVAILABLE
    assert await stored(service) == 0


async def test_nor_in_a_reaction_inside_that_sent_it(service: RunningService) -> None:
    async def react(handler: Any) -> None:
        with suppress(BusinessRuleViolationError):
            await handler.bus.execute_command(DoPart(refuse))

    async def body(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="sends"))

    given.inside["sends"] = react
    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.BUSINESS_RULE
    assert await stored(service) == 0
    assert await events_of(service, "None") == []


async def test_in_a_savepoint_it_undoes_only_itself(service: RunningService) -> None:
    async def part(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="undone"))
        await refuse(handler)

    async def body(handler: Any) -> str:
        await write(handler)
        await handler.bus.publish_event(Noted(key="kept"))
        for command in (DoPart(part), DoPart(refuse)):
            with suppress(BusinessRuleViolationError):
                async with savepoint():
                    await handler.bus.execute_command(command)
        return "done"

    heard: list[str] = []
    for key in ("kept", "undone"):
        given.inside[key] = noting(heard, key)
    assert (await service.bus.execute_command(Do(body))).unwrap() == "done"
    assert await stored(service) == 1
    assert heard == ["kept"], "events go with what is undone"


def noting(heard: list[str], key: str) -> Any:
    """A reaction that notes that it was there."""

    async def react(_: Any) -> None:
        heard.append(key)

    return react


async def test_a_savepoint_does_not_hide_what_failed_before_it(service: RunningService) -> None:
    async def body(handler: Any) -> str:
        with suppress(BusinessRuleViolationError):
            await handler.bus.execute_command(DoPart(refuse))
        with suppress(ConflictError):
            async with savepoint():
                await handler.bus.execute_command(DoPart(collide))
        return "done"

    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.BUSINESS_RULE
    assert await stored(service) == 0


async def test_a_nested_command_that_is_kept_in_spite_of_its_error_undoes_nothing(service: RunningService) -> None:
    async def part(handler: Any) -> None:
        await write(handler)
        raise AuthenticationError("No.")

    async def body(handler: Any) -> str:
        with suppress(AuthenticationError):
            await handler.bus.execute_command(DoKeeping(part))
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await stored(service) == 1


async def test_a_nested_query_that_finds_nothing_undoes_nothing(service: RunningService) -> None:
    async def find(_: Any) -> None:
        raise ResourceNotFoundError("No.")

    async def body(handler: Any) -> str:
        await write(handler)
        with suppress(ResourceNotFoundError):
            await handler.bus.execute_query(Look(find))
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await stored(service) == 1


async def test_a_savepoint_needs_a_transaction(service: RunningService) -> None:
    async def body(_: Any) -> None:
        async with savepoint():
            pass

    result = await service.bus.execute_command(DoPlainly(body))
    assert "@transactional" in str(result.error_message)


# A session after its unit of work


async def add_somebody(session: Any) -> None:
    """Store an aggregate."""
    somebody = User(
        id=uuid7(), email="a@b.c", username="abc", full_name="A", password_hash="x", created_at=datetime.now(UTC)
    )
    session.add(somebody)


USES: dict[str, Any] = {
    "statement": lambda session: session.execute(registrations.delete()),
    "aggregate": add_somebody,
    "begin": lambda session: session.begin(),
    "flush": lambda session: session.get(User, uuid7()),
}


@pytest.mark.parametrize("how", USES)
async def test_a_session_that_outlived_its_unit_refuses(service: RunningService, how: str) -> None:
    sessions: list[Any] = []

    async def body(handler: Any) -> str:
        sessions.append(handler.session)
        await write(handler)
        return "done"

    await service.bus.execute_command(Do(body))
    with pytest.raises(ConfigurationError, match="after its operation had ended"):
        await USES[how](sessions[0])
    assert await stored(service) == 1
    assert (await service.bus.execute_command(Do(write))).is_success, "nobody waits for a lock"


async def test_one_of_a_query_refuses_too(service: RunningService) -> None:
    sessions: list[Any] = []

    async def body(handler: Any) -> None:
        sessions.append(handler.session)
        await handler.session.execute(registrations.select())

    await service.bus.execute_query(Look(body))
    with pytest.raises(ConfigurationError, match="after its operation had ended"):
        await sessions[0].execute(registrations.select())


async def test_and_one_that_nobody_had_used_before(service: RunningService) -> None:
    sessions: list[Any] = []

    async def body(handler: Any) -> None:
        sessions.append(handler.session)

    await service.bus.execute_command(Do(body))
    with pytest.raises(ConfigurationError, match="after its operation had ended"):
        await write(type("Outlived", (), {"session": sessions[0]})())


# Collisions are tried again


async def test_ten_who_change_one_user_at_once_all_do(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="x")

    async def body(handler: Any) -> int:
        user = await handler.session.get_one(User, ada.id)
        await asyncio.sleep(0)
        user.update(full_name=user.full_name + "x")
        return int(user.version)

    results = await asyncio.gather(*(service.bus.execute_command(DoRepeatedly(body)) for _ in range(10)))
    assert [result.status for result in results if result.is_failure] == []
    (user,) = await rows_of(service, users)
    assert len(user.full_name) == 11
