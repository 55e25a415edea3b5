import asyncio
from decimal import Decimal
from typing import Any

from app.core.container import RunningService
from app.persistence.mappings.order_read_tables import customer_history, customer_history_pizzas
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
