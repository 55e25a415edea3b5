from datetime import UTC, date, datetime

import pytest
import time_machine

from app.composition.container import RunningService
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_daily_sales_handler import GetDailySalesQuery
from app.read_models import daily_sales
from tests.orders import ZUCCA, completed, let_order_before, placed
from tests.rows import deliver_again
from tests.users import Person


async def test_a_day_is_summed_up_and_each_order_once(service: RunningService, cook: Person) -> None:
    bus = service.bus
    yesterday = datetime.now(UTC).date()
    with time_machine.travel(datetime(2030, 5, 1, 23, 59, 59, tzinfo=UTC), tick=False):
        await completed(bus, cook)
        await placed(bus)
        gone = await placed(bus, pizza_items=(ZUCCA,))
    with time_machine.travel(datetime(2030, 5, 2, 0, 0, tzinfo=UTC), tick=False):
        (await cook.command(CancelOrderCommand(gone))).unwrap()
        await placed(bus)
        await bus.settled()
        today = (await cook.query(GetDailySalesQuery())).unwrap()

    assert (today.date, today.total_orders, str(today.total_revenue)) == (date(2030, 5, 2), 1, "35.28")
    may_first = GetDailySalesQuery(date(2030, 5, 1), include_details=True)
    sales = (await cook.query(may_first)).unwrap()
    assert (sales.total_orders, sales.completed_orders, sales.cancelled_orders) == (2, 1, 1)
    assert (sales.total_pizzas, str(sales.total_revenue)) == (4, "70.56")
    assert sales.pizzas and [(one.name, one.quantity, str(one.revenue)) for one in sales.pizzas] == [
        ("Margherita", 2, "25.98"),
        ("Pepperoni", 2, "44.58"),
    ]
    await deliver_again(service)
    assert (await cook.query(GetDailySalesQuery(date(2030, 5, 1), include_details=True))).unwrap() == sales
    nothing = (await cook.query(GetDailySalesQuery(yesterday))).unwrap()
    assert (nothing.total_orders, str(nothing.total_revenue), nothing.pizzas) == (0, "0.00", None)


async def test_the_pizzas_are_those_of_the_orders_though_one_is_placed_meanwhile(
    cook: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with time_machine.travel(datetime(2030, 5, 1, 12, tzinfo=UTC), tick=False):
        await placed(cook)
        await cook.bus.settled()
        let_order_before(daily_sales, "_pizzas", cook, monkeypatch)
        sales = (await cook.query(GetDailySalesQuery(include_details=True))).unwrap()
    assert sales.total_orders == 1
    assert sales.pizzas and sum(pizza.quantity for pizza in sales.pizzas) == sales.total_pizzas
    assert sum(pizza.revenue for pizza in sales.pizzas) == sales.total_revenue
