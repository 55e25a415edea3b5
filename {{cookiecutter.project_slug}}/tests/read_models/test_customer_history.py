import asyncio
from decimal import Decimal
from typing import Any

from sqlalchemy import delete

from app.composition.container import RunningService
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.persistence.engine.database import Database
from app.persistence.mappings.order_read_tables import customer_history, customer_history_pizzas
from app.read_models.customer_history import PROJECTION
from tests.orders import placed
from tests.rows import rows_of
from tests.users import People


async def test_a_customer_who_orders_much_at_once_has_all_of_it(service: RunningService, people: People) -> None:
    ada, bob = await people.member(), await people.member()
    await asyncio.gather(*(placed(ada) for _ in range(8)), placed(bob), placed(service.bus))
    histories: dict[Any, Any] = {
        row.customer_user_id: tuple(row[1:]) for row in await rows_of(service, customer_history)
    }
    assert histories == {ada.id: (8, Decimal("282.24")), bob.id: (1, Decimal("35.28"))}
    pizzas = {tuple(row) for row in await rows_of(service, customer_history_pizzas)}
    assert (ada.id, "pepperoni", 8) in pizzas and len(pizzas) == 4


async def test_an_order_that_is_older_than_the_history_waits_for_a_rebuild(
    service: RunningService, people: People
) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():  # as if it had not been there
        for table in PROJECTION.tables:
            await session.execute(delete(table))
    (await ada.command(CancelOrderCommand(order_id))).unwrap()
    assert await rows_of(service, customer_history) == []
