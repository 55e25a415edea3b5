"""The orders of years, in the event log of a scenario: what a read model is made anew of when it is worth the while."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.core.cqrs import EventRecord, OperationMetadata
from app.domain.customer import Customer
from app.domain.order import Order
from app.domain.order_events import OrderedPizza
from app.persistence.event_tables import event_log
from app.persistence.events.stored_event import row_of
from tests.chaos.deliveries import looking
from tests.chaos.stage import Database

AT_ONCE = 1_000
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 365
CUSTOMERS = 500
PRICES = {"margherita": Decimal("12.99"), "pepperoni": Decimal("15.99"), "zucca": Decimal("17.49")}


async def commit_orders(database: Database, dice: random.Random, events: int) -> None:
    """Put at least so many events into the log, of orders in all states; everybody has reacted to them already."""
    regulars = [UUID(int=dice.getrandbits(128), version=4) for _ in range(CUSTOMERS)]
    lives, rows, stored = _lives(dice, regulars), list[dict[str, Any]](), 0
    async with looking(database) as connection:
        while stored < events:
            while len(rows) < AT_ONCE:
                rows += _rows(next(lives))
            await connection.execute(insert(event_log), rows)
            stored, rows = stored + len(rows), []


def _lives(dice: random.Random, regulars: list[UUID]) -> Iterator[Order]:
    """Orders, and what became of them."""
    while True:
        now = FIRST_DAY + timedelta(days=dice.randrange(DAYS), seconds=dice.randrange(86_400))
        who = Customer("Luigi", "+1 555 010 9999", "1 High Street", dice.choice([None, *regulars]))
        pizzas = [_pizza(dice) for _ in range(dice.randint(1, 3))]
        order = Order.place(UUID(int=dice.getrandbits(128), version=4), who, pizzas, now)
        end = dice.choice(("pending", "cancelled", "cooking", "completed"))
        if end == "cancelled":
            order.cancel("not hungry any more", now)
        if end in ("cooking", "completed"):
            order.start_cooking("staff-7", 20, now)
        for index in range(len(pizzas) if end == "completed" else 0):
            order.mark_ready(index, 14, now)
        yield order


def _pizza(dice: random.Random) -> OrderedPizza:
    pizza_id, size = dice.choice(sorted(PRICES)), dice.choice(("small", "medium", "large"))
    return OrderedPizza(pizza_id, pizza_id.title(), size, (), None, PRICES[pizza_id], 15)


def _rows(order: Order) -> list[dict[str, Any]]:
    metadata = OperationMetadata()
    records = [EventRecord(raised, metadata) for raised in order.take_events()]
    return [row_of(record) | {"published_at": record.event.occurred_at} for record in records]
