"""Orders for tests, placed and asked for through the real bus."""

import asyncio
from contextvars import Context
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row

from app.adapters.payment_memory import MemoryPayments
from app.composition.container import RunningService
from app.core.cqrs import BaseEventHandler, CQRSBus
from app.domain.menu import PizzaWish
from app.domain.payments import Payments
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.place_order_handler import PlaceOrderCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.handlers.user.assign_role_handler import AssignRoleCommand
from app.persistence.access import SYSTEM
from app.persistence.event_tables import event_log, reactions
from app.persistence.order_tables import orders
from tests.rows import rows_of
from tests.users import People, Person

MARGHERITA = PizzaWish("margherita", "medium")
PEPPERONI = PizzaWish("pepperoni", "large", ("extra_cheese",), "well done")
ZUCCA = PizzaWish("zucca", "medium")
TOTAL = Decimal("35.28")
"""What an order costs, unless other pizzas are ordered."""


def place_order(**fields: Any) -> PlaceOrderCommand:
    """A valid command, but for these fields."""
    valid = {
        "customer_name": "Luigi",
        "customer_phone": "+1 (555) 010-9999",
        "customer_address": "1 High Street",
        "pizza_items": (MARGHERITA, PEPPERONI),
    }
    return PlaceOrderCommand(**{**valid, **fields})


async def placed(by: Person | CQRSBus, **fields: Any) -> UUID:
    """The id of a new order of somebody, or of nobody known."""
    command = place_order(**fields)
    result = await (by.execute_command(command) if isinstance(by, CQRSBus) else by.command(command))
    return result.unwrap().order_id


def let_order_before(module: ModuleType, read: str, by: Person, patch: pytest.MonkeyPatch) -> None:
    """Let somebody order before a module reads something, and what follows from it be done by then."""
    original = getattr(module, read)

    async def order() -> None:
        await placed(by)
        await by.bus.settled()

    async def late(*given: Any, **more: Any) -> Any:
        await asyncio.create_task(order(), context=Context())  # of somebody else
        return await original(*given, **more)

    patch.setattr(module, read, late)


async def staff(people: People) -> Person:
    """Somebody who works in the kitchen."""
    member = await people.member()
    command = AssignRoleCommand(member.id, "staff")
    command.metadata.user_id = SYSTEM
    (await member.bus.execute_command(command)).unwrap()
    return member


@pytest.fixture
async def cook(people: People) -> Person:
    """Somebody who works in the kitchen."""
    return await staff(people)


async def cooking(by: Person | CQRSBus, cook: Person, **fields: Any) -> UUID:
    """The id of a new order that is being cooked."""
    order_id = await placed(by, **fields)
    (await cook.command(StartCookingCommand(order_id, "staff-7", 20))).unwrap()
    return order_id


async def completed(by: Person | CQRSBus, cook: Person) -> UUID:
    """The id of a new order that is ready."""
    order_id = await cooking(by, cook)
    for index, minutes in enumerate((14, None)):
        (await cook.command(MarkPizzaReadyCommand(order_id, index, minutes))).unwrap()
    return order_id


async def stored_order(service: RunningService, order_id: UUID) -> Row[Any]:
    """The row of an order."""
    (found,) = [row for row in await rows_of(service, orders) if row.id == order_id]
    return found


async def happened(service: RunningService, order_id: UUID) -> list[str]:
    """What happened to an order, in its order."""
    found = [row for row in await rows_of(service, event_log) if row.aggregate_id == str(order_id)]
    return [row.event_type for row in sorted(found, key=lambda row: row.version)]


async def done(service: RunningService, *handlers: type[BaseEventHandler[Any]]) -> bool:
    """Whether these are done with all events that there are for them."""
    names = {handler.__name__ for handler in handlers}
    handed_out = all(row.published_at for row in await rows_of(service, event_log))
    return handed_out and not [row for row in await rows_of(service, reactions) if row.handler in names]


async def payments_of(service: RunningService) -> MemoryPayments:
    """The payment provider of a service."""
    payments = await service.container.get(Payments)
    assert isinstance(payments, MemoryPayments)
    return payments
