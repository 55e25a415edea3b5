"""State and events are stored together, or the command fails: whatever a handler does to a session or an aggregate."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.composition.container import RunningService
from app.core.cqrs import ConfigurationError, ConflictError, EventSourcedAggregate, savepoint
from app.core.ids import uuid7
from app.domain.menu import MenuItem
from app.domain.order_events import MenuUpdated
from app.domain.user import User
from app.persistence.events.event_sourcing import EventStreams
from app.persistence.order_tables import menu_items
from app.persistence.tables import users
from support.given import Do, Look, Noted
from tests.rows import events_of, rows_of
from tests.users import People

PIZZA = "margherita"
OIL = "chili oil"


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


class Walk(EventSourcedAggregate):
    """Stored as its events alone."""

    aggregate_type = "Walk"

    def apply(self, event: object) -> None:
        """Change nothing."""


def newcomer() -> User:
    """A user who is not stored."""
    names = {"email": "new@example.org", "username": "new", "full_name": "New"}
    return User(id=uuid7(), password_hash="x", created_at=datetime.now(UTC), **names)


async def expunge(session: Any, user: Any) -> None:
    """Take it out of the session."""
    session.expunge(user)


async def expire(session: Any, user: Any) -> None:
    """Forget what was changed."""
    session.expire(user)


async def refresh(session: Any, user: Any) -> None:
    """Read it again, over what was changed."""
    await session.refresh(user)


async def state_of(service: RunningService, user_id: UUID) -> tuple[str, int, int]:
    """The name and the version of a user, and how many events it has."""
    (row,) = [row for row in await rows_of(service, users) if row.id == user_id]
    return row.full_name, row.version, len(await events_of(service, "User", user_id))


@pytest.mark.parametrize("drop", [expunge, expire, refresh])
async def test_no_event_is_stored_without_its_change(
    service: RunningService, people: People, drop: Callable[[Any, Any], Awaitable[None]]
) -> None:
    ada = await people.member()

    async def body(handler: Any, *, flushed: bool = False) -> None:
        user = await handler.session.get_one(User, ada.id)
        user.update(full_name="Changed")
        if flushed:
            await handler.session.flush()
        await drop(handler.session, user)

    async def after_flush(handler: Any) -> None:
        await body(handler, flushed=True)

    before = await state_of(service, ada.id)
    refused = await service.bus.execute_command(Do(body))
    assert "its changes were dropped" in str(refused.error_message)
    assert await state_of(service, ada.id) == before
    if drop is not expunge:
        assert (await service.bus.execute_command(Do(after_flush))).is_success
        assert await state_of(service, ada.id) == ("Changed", 2, 2)


async def merge(session: Any, user: User) -> None:
    """Copy it into the session."""
    await session.merge(user)


async def save_in_bulk(session: Any, user: User) -> None:
    """Pass by the session."""
    await session.run_sync(lambda sync: sync.bulk_save_objects([user]))


@pytest.mark.parametrize("store", [merge, save_in_bulk])
async def test_no_row_is_stored_without_its_events(
    service: RunningService, store: Callable[[Any, User], Awaitable[None]]
) -> None:
    async def body(handler: Any) -> None:
        await store(handler.session, newcomer())

    refused = await service.bus.execute_command(Do(body))
    assert "without the events that it raised" in str(refused.error_message)
    assert await rows_of(service, users) == []


async def test_a_handler_does_not_commit_by_a_context_either(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        async with handler.session.begin():
            handler.session.add(newcomer())

    refused = await service.bus.execute_command(Do(body))
    assert "session.begin()" in str(refused.error_message)
    assert await rows_of(service, users) == []


@pytest.mark.parametrize("message", [Do, Look])
async def test_an_aggregate_of_an_operation_that_has_ended_raises_no_event(
    service: RunningService, people: People, message: Any
) -> None:
    ada, kept = await people.member(), []

    async def load(handler: Any) -> None:
        kept.append(await handler.session.get_one(User, ada.id))

    async def change(_: Any) -> None:
        kept[0].update(full_name="Lost")

    async def take_over(handler: Any) -> None:
        handler.session.add(kept[0])
        kept[0].update(full_name="Kept")

    (await service.bus.execute(message(load))).unwrap()
    assert "its events would be lost" in str((await service.bus.execute_command(Do(change))).error_message)
    (await service.bus.execute_command(Do(take_over))).unwrap()
    assert await state_of(service, ada.id) == ("Kept", 2, 2)


async def test_nor_does_one_without_a_row(service: RunningService) -> None:
    kept: list[Walk] = []
    types: Any = None

    async def start(handler: Any) -> None:
        kept.append(EventStreams(handler.session, types).add(Walk("one")))
        kept[0].raise_event(Noted(key="started"))

    (await service.bus.execute_command(Do(start))).unwrap()
    with pytest.raises(ConfigurationError, match="would be lost"):
        kept[0].raise_event(Noted(key="lost"))


async def toppings(service: RunningService) -> list[str]:
    """What is stored."""
    (row,) = [row for row in await rows_of(service, menu_items) if row.id == PIZZA]
    return list(row.toppings)


async def add_topping(handler: Any) -> MenuItem:
    """Change a list in place, as one does."""
    item: MenuItem = await handler.session.get_one(MenuItem, PIZZA, with_for_update=True)
    item.toppings.append(OIL)
    return item


async def test_a_list_that_is_changed_in_place_is_stored(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        for _ in range(2):  # it is read again, and changed again after it was written
            item = await add_topping(handler)
            item.raise_event(MenuUpdated(pizza_id=PIZZA, changed=("toppings",)))
            await handler.session.flush()
            written = select(menu_items.c.toppings).where(menu_items.c.id == PIZZA)
            assert await handler.session.scalar(written) == item.toppings

    before = await toppings(service)
    (await service.bus.execute_command(Do(body))).unwrap()
    assert await toppings(service) == [*before, OIL, OIL]


async def test_and_needs_an_event(service: RunningService) -> None:
    before = await toppings(service)

    async def body(handler: Any) -> None:
        await add_topping(handler)

    refused = await service.bus.execute_command(Do(body))
    assert "raised no event" in str(refused.error_message)
    assert await toppings(service) == before


async def test_and_goes_with_its_savepoint(service: RunningService) -> None:
    async def body(handler: Any) -> list[str]:
        with suppress(ConflictError):
            async with savepoint():
                await add_topping(handler)
                raise ConflictError("No.")
        return list((await handler.session.get_one(MenuItem, PIZZA)).toppings)

    before = await toppings(service)
    assert (await service.bus.execute_command(Do(body))).unwrap() == before
    assert await toppings(service) == before


async def test_a_query_in_a_transaction_changes_no_list(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        item = await handler.session.get_one(MenuItem, PIZZA)
        with handler.session.sync_session.answering():
            item.toppings.append(OIL)
        item.raise_event(MenuUpdated(pizza_id=PIZZA, changed=("toppings",)))

    refused = await service.bus.execute_command(Do(body))
    assert "A query inside a transaction" in str(refused.error_message)
